// What `culvert projects` prints of projects, in the form of -o. Used inside src/forwarder only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/projects_config.h"
#include "forwarder/project_table.h"
#include "ntt/proxies/v1/project.pb.h"

namespace culvert::forwarder {

// Gives the text piece by piece, so that a long list is not held: JSON is one array over all
// pieces, or with kOne the object alone; YAML is a document for each project.
class ProjectPrinter {
 public:
  enum class Shape { kOne, kMany };

  ProjectPrinter(config::ProjectsConfig::Output output, Shape shape, bool headers, int64_t now);

  std::string Piece(const std::vector<const ntt::proxies::v1::Project*>& projects);
  // What closes all of it. Once, after the last piece.
  std::string End() const;
  bool is_empty() const { return is_empty_; }

 private:
  std::string Json(const ntt::proxies::v1::Project& project);
  std::string Yaml(const ntt::proxies::v1::Project& project) const;

  const config::ProjectsConfig::Output output_;
  const Shape shape_;
  ProjectTable table_;
  bool is_empty_ = true;
};

}  // namespace culvert::forwarder
