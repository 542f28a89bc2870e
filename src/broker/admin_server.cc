#include "broker/admin_server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "base/status.h"
#include "net/deferred.h"
#include "net/tcp_stream.h"
#include "net/timer.h"
#include "net/unix_socket.h"

namespace culvert::broker {

std::string AdminSocketPath(const std::string& state_dir) { return state_dir + "/admin.sock"; }

// From the first byte to the last; the server removes it in a turn of its own.
class AdminServer::Connection final : public net::ByteStream::Delegate {
 public:
  Connection(AdminServer& server, std::unique_ptr<net::ByteStream> stream, uid_t user)
      : server_(server),
        who_{fmt::format("uid {}", user)},
        stream_(std::move(stream)),
        timer_(server.loop_),
        end_(server.loop_, [this] { server_.Remove(this); }) {
    stream_->SetDelegate(this);
    stream_->SetReading(true);
    timer_.Start(kTime, [this] { end_.Schedule(); });
  }

 private:
  void OnBytes(Bytes bytes) override {
    request_.append(bytes.view());
    const size_t end = request_.find('\n');
    if (end != std::string::npos) {
      Answer(server_.admin_.HandleLine(request_.substr(0, end), who_, WallNow()));
    } else if (request_.size() > kMaxRequestBytes) {
      Answer(R"({"error":{"code":"INVALID_ARGUMENT","message":"the request is too long"}})");
    }
  }
  void OnEnd() override { end_.Schedule(); }
  void OnBroken(absl::Status) override { end_.Schedule(); }

  void Answer(std::string line) {
    stream_->SetReading(false);
    if (line.size() > kMaxAnswerBytes) {
      line = R"({"error":{"code":"RESOURCE_EXHAUSTED","message":"the answer is too long"}})";
    }
    line += '\n';
    stream_->Write(Bytes(std::move(line)), [](const absl::Status&) {});
    stream_->FinishWriting([this](const absl::Status&) { end_.Schedule(); });
  }

  AdminServer& server_;
  const Administrator who_;
  std::unique_ptr<net::ByteStream> stream_;
  std::string request_;
  net::Timer timer_;
  net::Deferred end_;
};

AdminServer::AdminServer(net::EventLoop& loop, std::string path, Admin& admin, uid_t owner)
    : loop_(loop), path_(std::move(path)), admin_(admin), owner_(owner) {}

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Listen(net::EventLoop& loop,
                                                                 const std::string& path,
                                                                 Admin& admin, uid_t owner) {
  CULVERT_ASSIGN_OR_RETURN(net::UniqueFd fd, net::ListenOnUnixSocket(path));
  std::unique_ptr<AdminServer> server(new AdminServer(loop, path, admin, owner));
  AdminServer* const self = server.get();
  CULVERT_ASSIGN_OR_RETURN(
      server->listener_,
      net::FdListener::FromUnixFd(loop, fd.release(), path,
                                  [self](int peer, const net::Address&) { self->Accept(peer); }));
  return server;
}

AdminServer::~AdminServer() { unlink(path_.c_str()); }

absl::Status AdminServer::Admit(int fd) {
  CULVERT_ASSIGN_OR_RETURN(const uid_t user, net::PeerUser(fd));
  if (user != owner_ && user != 0) {
    return absl::PermissionDeniedError(fmt::format("uid {} is no administrator", user));
  }
  if (connections_.size() < kMaxConnections) return absl::OkStatus();
  return absl::ResourceExhaustedError("too many administrators at once");
}

void AdminServer::Accept(int fd) {
  net::UniqueFd owned(fd);
  if (const absl::Status admitted = Admit(fd); !admitted.ok()) {
    refusals_log_.Log(LogLevel::kWarning, loop_.Now(),
                      fmt::format("[admin] connection refused: {}", MessageOf(admitted)));
    return;
  }
  const uid_t user = *net::PeerUser(fd);
  auto stream = net::TcpStream::FromUnixFd(loop_, owned.release(), fmt::format("uid {}", user));
  if (!stream.ok()) return;  // it has gone already
  auto connection = std::make_unique<Connection>(*this, *std::move(stream), user);
  const Connection* const key = connection.get();
  connections_.emplace(key, std::move(connection));
}

void AdminServer::Remove(const Connection* connection) { connections_.erase(connection); }

}  // namespace culvert::broker
