// A stream that is lost between two messages.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "rpc/stream.h"

namespace culvert::test {

// Stands between a broker and one of its streams, whose opening it lets pass. Before each message
// that follows it asks `lost`: with true the message is gone, and the broker hears that its client
// is. Confined to the broker's loop.
class CutStream final : public rpc::Stream, private rpc::Stream::Delegate {
 public:
  CutStream(std::unique_ptr<rpc::Stream> inner, std::function<bool()> lost)
      : inner_(std::move(inner)), lost_(std::move(lost)) {}

  void SetDelegate(rpc::Stream::Delegate* delegate) override {
    delegate_ = delegate;
    inner_->SetDelegate(delegate == nullptr ? nullptr : this);
  }
  void Read() override { inner_->Read(); }
  void Write(rpc::Frame frame) override { inner_->Write(std::move(frame)); }
  size_t pending_writes() const override { return inner_->pending_writes(); }
  void Finish(absl::Status status) override { inner_->Finish(std::move(status)); }
  void HoldUntilDone(std::shared_ptr<void> what) override {
    inner_->HoldUntilDone(std::move(what));
  }

 private:
  void OnMessage(Bytes message) override {
    if (opened_ && lost_()) {
      rpc::Stream::Delegate* const delegate = delegate_;
      SetDelegate(nullptr);
      delegate->OnEnd(absl::CancelledError("lost by the test"));
      return;
    }
    opened_ = true;
    delegate_->OnMessage(std::move(message));
  }
  void OnWritten() override { delegate_->OnWritten(); }
  void OnPeerFinished() override { delegate_->OnPeerFinished(); }
  void OnEnd(absl::Status status) override { delegate_->OnEnd(std::move(status)); }

  std::unique_ptr<rpc::Stream> inner_;
  const std::function<bool()> lost_;
  rpc::Stream::Delegate* delegate_ = nullptr;
  bool opened_ = false;
};

}  // namespace culvert::test
