// A stream that Departures hears of.
#pragma once

#include <memory>
#include <string>

#include "broker/departures.h"
#include "net/event_loop.h"
#include "rpc/stream.h"

namespace culvert::broker {

// Passes everything on, and notes when something comes and that it ends. `departures` outlives it.
// Confined to the control loop.
class HeardStream final : public rpc::Stream, private rpc::Stream::Delegate {
 public:
  HeardStream(net::EventLoop& loop, Departures& departures, const std::string& endpoint,
              std::unique_ptr<rpc::Stream> stream);
  ~HeardStream() override;

  void SetDelegate(rpc::Stream::Delegate* delegate) override;
  void Read() override { stream_->Read(); }
  void Write(rpc::Frame frame) override { stream_->Write(std::move(frame)); }
  size_t pending_writes() const override { return stream_->pending_writes(); }
  void Finish(absl::Status status) override;
  void HoldUntilDone(std::shared_ptr<void> what) override {
    stream_->HoldUntilDone(std::move(what));
  }

 private:
  void OnMessage(Bytes message) override;
  void OnWritten() override { delegate_->OnWritten(); }
  void OnPeerFinished() override;
  void OnEnd(absl::Status status) override;
  void Leave();

  net::EventLoop& loop_;
  Departures& departures_;
  std::shared_ptr<Departures::Endpoint> endpoint_;  // null: has left
  std::unique_ptr<rpc::Stream> stream_;
  rpc::Stream::Delegate* delegate_ = nullptr;
};

}  // namespace culvert::broker
