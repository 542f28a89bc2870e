// The broker's gRPC server: both versions of the broker service as streams on a loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "net/event_loop.h"
#include "rpc/credentials.h"
#include "rpc/limits.h"
#include "rpc/stream.h"
#include "rpc/stream_info.h"

namespace culvert::rpc {

// How a server bounds what its clients can make it hold.
struct ServerOptions {
  // A stream that is over is cancelled after this if its client does not read what it was told.
  Duration linger = std::chrono::seconds(10);
  // What gRPC may hold of all connections and streams, in bytes. The last resort: when it is
  // reached, connections are read slower and streams cancelled, whosever they are.
  size_t memory = size_t{1} << 30;
  // Streams at once on a connection; the next ones wait at the client.
  int streams_per_connection = kMaxStreamsPerConnection;
};

class Server {
 public:
  // On the loop thread, for every stream; its delegate must be set before it returns.
  using OnStream = absl::AnyInvocable<void(const StreamInfo&, std::unique_ptr<Stream>)>;

  // Has no port of its own: connections come by Adopt. Reflection is on, a few streams of it at a
  // time; a health check is a stream like any other (broker/health.h). `loop` must run until
  // Shutdown has returned. INTERNAL if gRPC cannot start.
  static absl::StatusOr<std::unique_ptr<Server>> Start(net::EventLoop& loop,
                                                       const Credentials& credentials,
                                                       OnStream on_stream,
                                                       const ServerOptions& options = {});
  // Shutdown must have been called.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Takes a connected socket (non-blocking). Any thread.
  void Adopt(int fd);

  // Refuses new streams at once and cancels those that live after `grace`. Blocks until all are
  // done: not on the loop thread. What they held (Stream::HoldUntilDone) has been posted to the
  // loop.
  void Shutdown(Duration grace);

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace culvert::rpc
