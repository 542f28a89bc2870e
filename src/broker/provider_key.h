// The name under which a provider is found.
#pragma once

#include <fmt/format.h>

#include <string>
#include <tuple>

namespace culvert::broker {

struct ProviderKey {
  std::string project;  // "projects/default"
  std::string region;
  std::string service_domain;
  std::string name;

  friend bool operator==(const ProviderKey&, const ProviderKey&) = default;
  friend bool operator<(const ProviderKey& a, const ProviderKey& b) {
    return std::tie(a.project, a.region, a.service_domain, a.name) <
           std::tie(b.project, b.region, b.service_domain, b.name);
  }

  // For logs: "projects/default/edge-1".
  std::string ToString() const {
    return service_domain.empty() ? fmt::format("{}/{}", project, name)
                                  : fmt::format("{}/{}@{}", project, name, service_domain);
  }
};

}  // namespace culvert::broker
