// A client's connection to a broker.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "net/event_loop.h"
#include "rpc/credentials.h"
#include "rpc/limits.h"
#include "rpc/stream.h"

namespace grpc {
class Channel;
}

namespace culvert::rpc {

// The RPCs that clients call. Those after kWatchProjects are unary: one Write, Finish(OK), one
// message; kWatchProjects itself is one Write, HalfClose, and then messages.
enum class Method {
  kConnect,
  kListen,
  kAccept,
  kAttach,
  kWatchProjects,
  kEnroll,
  kLogin,
  kRenew,
  kWhoAmI,
  kListAgents,
  kKeyRotations,
  kRequestConnection,
  kGetProject,
  kBatchGetProjects,
  kListProjects,
  kCreateProject,
  kUpdateProject,
  kDeleteProject,
};

// What passes over a connection, all its streams together. Confined to the loop.
struct Traffic {
  MonotonicTime last_heard{};  // loop time of the last message that came
  uint64_t heard = 0;          // messages
  // Runs when a message is handed to the transport; must not destroy streams.
  std::function<void()> on_write;
};

// Connects when the first stream starts, and again by itself when the connection is lost; a stream
// that is started while there is none ends with UNAVAILABLE. Loop thread.
class Connection {
 public:
  // `address` is `host:port`, IPv6 in brackets; gRPC resolves names. A message that has more than
  // `max_message_bytes` ends its stream with RESOURCE_EXHAUSTED.
  Connection(net::EventLoop& loop, const std::string& address, const Credentials& credentials,
             int max_message_bytes = kMaxMessageBytes);
  ~Connection();

  std::unique_ptr<Stream> Start(Method method);
  // For the streams that are started from now on: they get a connection of their own, those that
  // run go on over the old one.
  void SetCredentials(const Credentials& credentials);
  // The same because the connection there is seems to be no use any more: what is started from now
  // on connects at once, and not after what is left of a wait or of an attempt that began while the
  // network was away. `address` is where to connect instead of what the name says now; empty: ask.
  void Reconnect(const std::string& address = {});

  enum class State {
    kIdle,        // connects with the next stream
    kConnecting,  // or resolves the name
    kReady,
    kFailed,  // waits before it connects again
  };
  // Of the connection that the next stream will use.
  State state() const;
  const std::string& address() const { return address_; }

  // Since the last Reconnect.
  const Traffic& traffic() const { return *traffic_; }
  // When the connection was made anew last, or came to be.
  MonotonicTime since() const { return since_; }
  // Another one after each Reconnect.
  uint64_t generation() const { return generation_; }
  // Runs whenever a stream starts or writes; see Traffic::on_write.
  void SetOnWrite(std::function<void()> on_write);

 private:
  void Connect(const std::string& address);

  net::EventLoop& loop_;
  const std::string address_;
  Credentials credentials_;
  const int max_message_bytes_;
  std::function<void()> on_write_;
  std::shared_ptr<Traffic> traffic_;
  MonotonicTime since_{};
  uint64_t generation_ = 0;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace culvert::rpc
