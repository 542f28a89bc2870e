#include "net/line_server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "base/status.h"
#include "net/deferred.h"
#include "net/tcp_stream.h"
#include "net/timer.h"
#include "net/unix_socket.h"

namespace culvert::net {

// From the first byte to the last; the server removes it in a turn of its own.
class LineServer::Connection final : public ByteStream::Delegate {
 public:
  Connection(LineServer& server, std::unique_ptr<ByteStream> stream, uid_t user)
      : server_(server),
        user_(user),
        stream_(std::move(stream)),
        timer_(server.loop_),
        end_(server.loop_, [this] { server_.Remove(this); }) {
    stream_->SetDelegate(this);
    stream_->SetReading(true);
    timer_.Start(server_.options_.time, [this] { end_.Schedule(); });
  }

 private:
  void OnBytes(Bytes bytes) override {
    request_.append(bytes.view());
    const size_t end = request_.find('\n');
    if (end != std::string::npos) {
      Answer(server_.options_.answer(request_.substr(0, end), user_));
    } else if (request_.size() > server_.options_.max_request_bytes) {
      Answer(server_.options_.too_long);
    }
  }
  void OnEnd() override { end_.Schedule(); }
  void OnBroken(absl::Status) override { end_.Schedule(); }

  void Answer(std::string line) {
    stream_->SetReading(false);
    line += '\n';
    stream_->Write(Bytes(std::move(line)), [](const absl::Status&) {});
    stream_->FinishWriting([this](const absl::Status&) { end_.Schedule(); });
  }

  LineServer& server_;
  const uid_t user_;
  std::unique_ptr<ByteStream> stream_;
  std::string request_;
  Timer timer_;
  Deferred end_;
};

LineServer::LineServer(EventLoop& loop, std::string path, Options options)
    : loop_(loop), path_(std::move(path)), options_(std::move(options)) {}

absl::StatusOr<std::unique_ptr<LineServer>> LineServer::Listen(EventLoop& loop,
                                                               const std::string& path,
                                                               Options options) {
  CULVERT_ASSIGN_OR_RETURN(UniqueFd fd, ListenOnUnixSocket(path));
  std::unique_ptr<LineServer> server(new LineServer(loop, path, std::move(options)));
  lstat(path.c_str(), &server->own_);
  LineServer* const self = server.get();
  CULVERT_ASSIGN_OR_RETURN(
      server->listener_,
      FdListener::FromUnixFd(loop, fd.release(), path,
                             [self](int peer, const Address&) { self->Accept(peer); }));
  return server;
}

LineServer::~LineServer() {
  struct stat there {};
  if (lstat(path_.c_str(), &there) == 0 && there.st_ino == own_.st_ino &&
      there.st_dev == own_.st_dev) {
    unlink(path_.c_str());
  }
}

absl::StatusOr<uid_t> LineServer::Admit(int fd) const {
  CULVERT_ASSIGN_OR_RETURN(const uid_t user, PeerUser(fd));
  if (user != options_.owner && user != 0) {
    return absl::PermissionDeniedError(
        fmt::format("uid {} is neither uid {} nor root", user, options_.owner));
  }
  if (connections_.size() < options_.max_connections) return user;
  return absl::ResourceExhaustedError("too many connections at once");
}

void LineServer::Accept(int fd) {
  UniqueFd owned(fd);
  const absl::StatusOr<uid_t> user = Admit(fd);
  if (!user.ok()) {
    if (options_.on_refused) options_.on_refused(user.status());
    return;
  }
  auto stream = TcpStream::FromUnixFd(loop_, owned.release(), fmt::format("uid {}", *user));
  if (!stream.ok()) return;  // it has gone already
  auto connection = std::make_unique<Connection>(*this, *std::move(stream), *user);
  const Connection* const key = connection.get();
  connections_.emplace(key, std::move(connection));
}

void LineServer::Remove(const Connection* connection) { connections_.erase(connection); }

}  // namespace culvert::net
