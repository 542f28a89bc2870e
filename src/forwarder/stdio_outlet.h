// Standard input and output as the consumer's end of a channel.
#pragma once

#include <memory>
#include <utility>

#include "culvert/endpoint.h"
#include "net/byte_stream.h"
#include "sdk/stream_endpoint.h"

namespace culvert::forwarder {

// Keeps what broke standard input or output: to the channel that is but a reset. Confined to the
// stream's loop.
class StdioOutlet final : public Outlet {
 public:
  // What whoever made the outlet wants to know of it.
  struct News {
    bool opened = false;
    absl::Status failure;  // OK until the stream breaks
  };

  // `news` outlives the outlet.
  StdioOutlet(std::unique_ptr<net::ByteStream> stream, News& news)
      : news_(news), stream_(std::move(stream), [this](absl::Status why) {
          Note(why);
          Break(std::move(why));
        }) {}

  void Opened() override { news_.opened = true; }
  void Send(Bytes bytes, TakenCallback taken) override {
    stream_.Send(std::move(bytes), Noting(std::move(taken)));
  }
  void SendEnd(TakenCallback taken) override { stream_.SendEnd(Noting(std::move(taken))); }
  void Recv(ReceivedCallback received) override {
    stream_.Recv([this, received = std::move(received)](absl::StatusOr<Chunk> chunk) mutable {
      Note(chunk.status());
      std::move(received)(std::move(chunk));
    });
  }
  void SetChunkSize(size_t bytes) override { stream_.SetChunkSize(bytes); }
  void Close(const absl::Status& why) override { stream_.Close(why); }

 private:
  void Note(const absl::Status& status) { news_.failure.Update(status); }
  TakenCallback Noting(TakenCallback taken) {
    return [this, taken = std::move(taken)](absl::Status status) mutable {
      Note(status);
      std::move(taken)(std::move(status));
    };
  }

  News& news_;
  StreamEndpoint stream_;
};

}  // namespace culvert::forwarder
