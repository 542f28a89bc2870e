// A client's connection to a broker.
#pragma once

#include <memory>
#include <string>

#include "net/event_loop.h"
#include "rpc/credentials.h"
#include "rpc/stream.h"

namespace grpc {
class Channel;
}

namespace culvert::rpc {

// The RPCs that clients call. Those after kAccept are unary: one Write, Finish(OK), one message.
enum class Method {
  kConnect,
  kListen,
  kAccept,
  kEnroll,
  kLogin,
  kRenew,
  kWhoAmI,
  kListAgents,
  kKeyRotations,
};

// Connects when the first stream starts, and again by itself when the connection is lost; a stream
// that is started while there is none ends with UNAVAILABLE. Loop thread.
class Connection {
 public:
  // `address` is `host:port`, IPv6 in brackets; gRPC resolves names.
  Connection(net::EventLoop& loop, const std::string& address, const Credentials& credentials);
  ~Connection();

  std::unique_ptr<Stream> Start(Method method);
  // For the streams that are started from now on: they get a connection of their own, those that
  // run go on over the old one.
  void SetCredentials(const Credentials& credentials);

 private:
  net::EventLoop& loop_;
  const std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace culvert::rpc
