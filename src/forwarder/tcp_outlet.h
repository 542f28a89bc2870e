// A local byte stream as the consumer's end of a channel.
#pragma once

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "culvert/endpoint.h"
#include "net/byte_stream.h"
#include "sdk/stream_endpoint.h"

namespace culvert::forwarder {

// Not read until the channel is open; a reset is noticed all the same. Confined to the stream's
// loop.
class TcpOutlet final : public Outlet {
 public:
  TcpOutlet(std::unique_ptr<net::ByteStream> stream, absl::AnyInvocable<void() &&> opened)
      : opened_(std::move(opened)),
        stream_(std::move(stream), [this](absl::Status why) { Break(std::move(why)); }) {}

  void Opened() override { std::move(opened_)(); }
  void Send(Bytes bytes, TakenCallback taken) override {
    stream_.Send(std::move(bytes), std::move(taken));
  }
  void SendEnd(TakenCallback taken) override { stream_.SendEnd(std::move(taken)); }
  void Recv(ReceivedCallback received) override { stream_.Recv(std::move(received)); }
  void SetChunkSize(size_t bytes) override { stream_.SetChunkSize(bytes); }
  void Close(const absl::Status& why) override { stream_.Close(why); }

 private:
  absl::AnyInvocable<void() &&> opened_;
  StreamEndpoint stream_;
};

}  // namespace culvert::forwarder
