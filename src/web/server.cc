#include "web/server.h"

#include <utility>

#include "net/tcp_stream.h"

namespace culvert::web {

Server::Server(net::EventLoop& loop, WebCalls calls, TlsSource tls, const Connection::Times& times)
    : shared_(loop, std::move(calls)), tls_(std::move(tls)), times_(times), sweep_(loop, [this] {
        for (const uint64_t id : std::exchange(over_, {})) connections_.erase(id);
      }) {}

Server::~Server() = default;

void Server::Adopt(int fd, const net::Address& peer) {
  absl::StatusOr<std::unique_ptr<net::TcpStream>> socket = net::TcpStream::FromFd(shared_.loop, fd);
  if (!socket.ok()) return;  // its peer has reset it
  rpc::StreamInfo info;
  info.peer = peer.ip();
  info.port = peer.port();
  const uint64_t id = ++last_id_;
  connections_.emplace(
      id, std::make_unique<Connection>(shared_, *std::move(socket), std::move(info), tls_(), times_,
                                       [this, id] {
                                         over_.push_back(id);
                                         sweep_.Schedule();
                                       }));
}

void Server::Drain() {
  shared_.is_draining = true;
  for (const auto& [id, connection] : connections_) connection->Drain();
}

}  // namespace culvert::web
