// A ByteStream as the local side of a channel: what the tcp service and the forwarder's sockets
// share.
#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "culvert/endpoint.h"
#include "net/byte_stream.h"

namespace culvert {

// Has the functions of an Endpoint without being one, so that a Service and an Outlet can each hold
// one. TCP-exact: the stream is reset when it is closed for any reason but an orderly end of both
// directions, the death of the process included. Confined to the stream's loop.
class StreamEndpoint final : private net::ByteStream::Delegate {
 public:
  // `on_broken` tells of a reset, also while nothing is read or written; nothing is called after
  // it.
  StreamEndpoint(std::unique_ptr<net::ByteStream> stream,
                 absl::AnyInvocable<void(absl::Status)> on_broken);
  ~StreamEndpoint();

  void Send(Bytes bytes, Endpoint::TakenCallback taken);
  void SendEnd(Endpoint::TakenCallback taken);
  void Recv(Endpoint::ReceivedCallback received);
  void SetChunkSize(size_t bytes);
  void Close(const absl::Status& why);

  std::string PeerName() const { return peer_name_; }

 private:
  void OnBytes(Bytes bytes) override;
  void OnEnd() override;
  void OnBroken(absl::Status why) override;
  void Answer(absl::StatusOr<Chunk> chunk);

  std::unique_ptr<net::ByteStream> stream_;  // null once closed
  absl::AnyInvocable<void(absl::Status)> on_broken_;
  Endpoint::ReceivedCallback received_;
  const std::string peer_name_;
};

}  // namespace culvert
