// The web port: HTTP and WebSockets in front of the broker's calls.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "crypto/tls_context.h"
#include "net/address.h"
#include "net/deferred.h"
#include "net/event_loop.h"
#include "web/connection.h"

namespace culvert::web {

// Confined to the loop. Destroy = close all connections; their streams hear nothing any more.
class Server {
 public:
  // What a new connection shakes hands with, which may change over time. Null: plain HTTP.
  using TlsSource = std::function<std::shared_ptr<const crypto::TlsContext>()>;

  Server(net::EventLoop& loop, WebCalls calls, TlsSource tls, const Connection::Times& times = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Takes a connected socket.
  void Adopt(int fd, const net::Address& peer);
  // Connections end after the request under way; those without one end at once.
  void Drain();

  size_t connections() const { return connections_.size(); }

 private:
  WebShared shared_;
  const TlsSource tls_;
  const Connection::Times times_;
  uint64_t last_id_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<uint64_t> over_;
  net::Deferred sweep_;
};

}  // namespace culvert::web
