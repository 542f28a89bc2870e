// The broker's gRPC server: both versions of the broker service as streams on a loop.
#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "net/event_loop.h"
#include "rpc/credentials.h"
#include "rpc/stream.h"

namespace culvert::rpc {

// What a stream was started as.
struct StreamInfo {
  enum class Version { kV1, kV1Alpha2 };
  enum class Method { kConnect, kListen, kAccept };
  Version version = Version::kV1;
  Method method = Method::kConnect;
  std::string peer;  // the address without the port, "127.0.0.1"; "unknown" if gRPC does not tell
};

class Server {
 public:
  // On the loop thread, for every stream; its delegate must be set before it returns.
  using OnStream = absl::AnyInvocable<void(const StreamInfo&, std::unique_ptr<Stream>)>;

  // Has no port of its own: connections come by Adopt. Health and reflection are on. `loop` must
  // run until Shutdown has returned. INTERNAL if gRPC cannot start.
  static absl::StatusOr<std::unique_ptr<Server>> Start(net::EventLoop& loop,
                                                       const Credentials& credentials,
                                                       OnStream on_stream);
  // Shutdown must have been called.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Takes a connected socket (non-blocking). Any thread.
  void Adopt(int fd);

  // Refuses new streams at once and cancels those that live after `grace`. Blocks until all are
  // done: not on the loop thread.
  void Shutdown(Duration grace);

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace culvert::rpc
