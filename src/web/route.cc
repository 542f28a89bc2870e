#include "web/route.h"

#include <fmt/format.h>
#include <google/protobuf/stubs/common.h>

#include <array>

#include "base/check.h"
#include "base/log.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "ntt/proxies/v1/project_service.pb.h"
#include "ntt/proxies/v1alpha2/broker.pb.h"
#include "ntt/proxies/v1alpha2/project_service.pb.h"

namespace culvert::web {
namespace {

using Method = rpc::StreamInfo::Method;
using Version = rpc::StreamInfo::Version;
using Kind = Route::Kind;
using Body = Route::Body;

constexpr std::string_view kProjectSegment = "projects/";

struct Binding {
  std::string_view http_method;
  std::string_view path;
  std::string_view variable;
  Body body;
  Method method;
  std::string_view rpc;
};

constexpr std::array kBindings = {
    Binding{"GET", "/projects", "", Body::kNone, Method::kListProjects,
            "ProjectService.ListProjects"},
    Binding{"POST", "/projects", "", Body::kProject, Method::kCreateProject,
            "ProjectService.CreateProject"},
    Binding{"GET", "/projects:batchGet", "", Body::kNone, Method::kBatchGetProjects,
            "ProjectService.BatchGetProjects"},
    Binding{"POST", "/projects:watch", "", Body::kRequest, Method::kWatchProjects,
            "ProjectService.WatchProjects"},
    Binding{"GET", "/projects/*", "name", Body::kNone, Method::kGetProject,
            "ProjectService.GetProject"},
    Binding{"PUT", "/projects/*", "project.name", Body::kProject, Method::kUpdateProject,
            "ProjectService.UpdateProject"},
    Binding{"PATCH", "/projects/*", "project.name", Body::kProject, Method::kUpdateProject,
            "ProjectService.UpdateProject"},
    Binding{"DELETE", "/projects/*", "name", Body::kNone, Method::kDeleteProject,
            "ProjectService.DeleteProject"},
    Binding{"POST", "/projects/*:watch", "name", Body::kRequest, Method::kWatchProject,
            "ProjectService.WatchProject"},
    Binding{"GET", ":connect", "", Body::kNone, Method::kConnect, "BrokerService.Connect"},
    Binding{"GET", ":listen", "", Body::kNone, Method::kListen, "BrokerService.Listen"},
    Binding{"GET", ":accept", "", Body::kNone, Method::kAccept, "BrokerService.Accept"},
};

Kind KindOf(const google::protobuf::MethodDescriptor& rpc) {
  if (rpc.client_streaming()) return Kind::kSocket;
  return rpc.server_streaming() ? Kind::kLines : Kind::kUnary;
}

void AddRoutes(Version version, const google::protobuf::FileDescriptor& broker,
               const google::protobuf::FileDescriptor& projects, std::vector<Route>& routes) {
  for (const Binding& binding : kBindings) {
    const std::string service(binding.rpc.substr(0, binding.rpc.find('.')));
    const std::string name(binding.rpc.substr(binding.rpc.find('.') + 1));
    const auto* found = broker.FindServiceByName(service);
    if (found == nullptr) found = projects.FindServiceByName(service);
    CULVERT_CHECK(found != nullptr);
    const auto* rpc = found->FindMethodByName(name);
    CULVERT_CHECK(rpc != nullptr);
    routes.push_back({binding.http_method, binding.path, binding.variable, binding.body,
                      KindOf(*rpc), binding.method, version, rpc});
  }
}

std::vector<Route> MakeRoutes() {
  std::vector<Route> routes;
  AddRoutes(Version::kV1, *ntt::proxies::v1::ConnectRequest::descriptor()->file(),
            *ntt::proxies::v1::GetProjectRequest::descriptor()->file(), routes);
  AddRoutes(Version::kV1Alpha2, *ntt::proxies::v1alpha2::ConnectRequest::descriptor()->file(),
            *ntt::proxies::v1alpha2::GetProjectRequest::descriptor()->file(), routes);
  return routes;
}

// What "*" in `pattern` stands for in `path`; empty where they are the same without one.
std::optional<std::string_view> MatchPattern(std::string_view pattern, std::string_view path) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) {
    if (pattern != path) return std::nullopt;
    return std::string_view();
  }
  const std::string_view before = pattern.substr(0, star);
  const std::string_view after = pattern.substr(star + 1);
  if (path.size() <= before.size() + after.size() || path.substr(0, star) != before ||
      path.substr(path.size() - after.size()) != after) {
    return std::nullopt;
  }
  const std::string_view inside =
      path.substr(before.size(), path.size() - before.size() - after.size());
  // A colon begins a verb, which is another pattern's.
  if (inside.find_first_of("/:") != std::string_view::npos) return std::nullopt;
  return inside;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

absl::Status NoSuchPath(std::string_view path) {
  return absl::NotFoundError(fmt::format("nothing is served at {}", Printable(path)));
}

}  // namespace

const std::vector<Route>& Routes() {
  static const auto* const routes = new std::vector<Route>(MakeRoutes());
  return *routes;
}

std::string_view PathPrefix(Version version) {
  return version == Version::kV1 ? "/v1" : "/v1alpha2";
}

absl::StatusOr<RouteMatch> MatchRoute(std::string_view method, std::string_view path) {
  std::string others;
  for (const Route& route : Routes()) {
    const std::string_view prefix = PathPrefix(route.version);
    if (path.substr(0, prefix.size()) != prefix) continue;
    const auto inside = MatchPattern(route.path, path.substr(prefix.size()));
    if (!inside) continue;
    if (method != route.http_method && (method != "HEAD" || route.http_method != "GET")) {
      others += fmt::format("{}{}", others.empty() ? "" : ", ", route.http_method);
      continue;
    }
    RouteMatch match{&route, {}};
    if (route.variable.empty()) return match;
    const std::optional<std::string> decoded = PercentDecode(*inside, /*plus=*/false);
    if (!decoded) return NoSuchPath(path);
    match.variable = std::string(kProjectSegment) + *decoded;
    return match;
  }
  if (others.empty()) return NoSuchPath(path);
  return absl::OutOfRangeError(others);
}

std::optional<std::string> PercentDecode(std::string_view text, bool plus) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  // As all text in protobuf is.
  if (!google::protobuf::internal::IsStructurallyValidUTF8(decoded)) return std::nullopt;
  return decoded;
}

}  // namespace culvert::web
