// A local byte stream as the consumer's end of a channel.
#pragma once

#include <memory>

#include "culvert/endpoint.h"
#include "net/byte_stream.h"
#include "sdk/stream_endpoint.h"

namespace culvert::forwarder {

// Not read until the channel is open; a reset is noticed all the same. Confined to the stream's
// loop.
class TcpOutlet final : public Outlet {
 public:
  explicit TcpOutlet(std::unique_ptr<net::ByteStream> stream)
      : stream_(std::move(stream), [this](absl::Status why) { Break(std::move(why)); }) {}

  void Send(Bytes bytes, TakenCallback taken) override {
    stream_.Send(std::move(bytes), std::move(taken));
  }
  void SendEnd(TakenCallback taken) override { stream_.SendEnd(std::move(taken)); }
  void Recv(ReceivedCallback received) override { stream_.Recv(std::move(received)); }
  void Close(const absl::Status& why) override { stream_.Close(why); }

 private:
  StreamEndpoint stream_;
};

}  // namespace culvert::forwarder
