#include "broker/admin_server.h"

#include <fmt/format.h>

#include <utility>

#include "base/status.h"

namespace culvert::broker {

std::string AdminSocketPath(const std::string& state_dir) { return state_dir + "/admin.sock"; }

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Listen(net::EventLoop& loop,
                                                                 const std::string& path,
                                                                 Admin& admin, uid_t owner) {
  std::unique_ptr<AdminServer> server(new AdminServer(loop, admin));
  AdminServer* const self = server.get();
  net::LineServer::Options options;
  options.owner = owner;
  options.max_request_bytes = kMaxRequestBytes;
  options.max_connections = kMaxConnections;
  options.time = kTime;
  options.too_long = R"({"error":{"code":"INVALID_ARGUMENT","message":"the request is too long"}})";
  options.answer = [self](const std::string& line, uid_t user) { return self->Answer(line, user); };
  options.on_refused = [self](const absl::Status& why) {
    self->refusals_log_.Log(LogLevel::kWarning, self->loop_.Now(),
                            fmt::format("[admin] connection refused: {}", MessageOf(why)));
  };
  CULVERT_ASSIGN_OR_RETURN(server->lines_, net::LineServer::Listen(loop, path, std::move(options)));
  return server;
}

std::string AdminServer::Answer(const std::string& line, uid_t user) {
  std::string answer = admin_.HandleLine(line, {fmt::format("uid {}", user)}, WallNow());
  if (answer.size() <= kMaxAnswerBytes) return answer;
  return R"({"error":{"code":"RESOURCE_EXHAUSTED","message":"the answer is too long"}})";
}

}  // namespace culvert::broker
