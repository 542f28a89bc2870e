#include "web/call.h"

#include <utility>

namespace culvert::web {

class Call::End final : public rpc::Stream {
 public:
  explicit End(Call& call) : call_(&call) { call.end_ = this; }
  ~End() override {
    if (call_ != nullptr) call_->Drop();
  }

  void Forget() { call_ = nullptr; }

  void SetDelegate(Delegate* delegate) override {
    if (call_ != nullptr) call_->delegate_ = delegate;
  }
  void Read() override {
    if (call_ == nullptr || !call_->is_open()) return;
    call_->read_wanted_ = true;
    call_->DeliverLater();
  }
  void Write(rpc::Frame frame) override {
    if (call_ == nullptr || !call_->is_open()) return;
    ++call_->pending_writes_;
    call_->Send(std::move(frame));
  }
  size_t pending_writes() const override { return call_ == nullptr ? 0 : call_->pending_writes_; }
  void Finish(absl::Status status) override {
    if (call_ != nullptr) call_->Finish(status);
  }
  void HoldUntilDone(std::shared_ptr<void> what) override {
    if (call_ != nullptr) call_->held_ = std::move(what);
  }

 private:
  Call* call_;
};

Call::Call(net::EventLoop& loop)
    : deliver_(loop,
               [this] {
                 if (is_open()) Deliver();
               }),
      written_(loop, [this] {
        if (pending_writes_ == 0 && is_open() && delegate_ != nullptr) delegate_->OnWritten();
      }) {}

Call::~Call() {
  if (end_ != nullptr) end_->Forget();
}

std::unique_ptr<rpc::Stream> Call::MakeStream() { return std::make_unique<End>(*this); }

void Call::EndByPeer() { EndBy(absl::CancelledError("peer went away")); }

void Call::EndBy(const absl::Status& why) {
  if (!is_open()) return;
  state_ = State::kGone;
  if (rpc::Stream::Delegate* const delegate = std::exchange(delegate_, nullptr)) {
    delegate->OnEnd(why);
  }
}

void Call::DeliverMessage(Bytes message) {
  read_wanted_ = false;
  if (delegate_ != nullptr) delegate_->OnMessage(std::move(message));
}

void Call::DeliverEndOfInput() {
  read_wanted_ = false;
  if (delegate_ != nullptr) delegate_->OnPeerFinished();
}

void Call::HandleWritten() {
  --pending_writes_;
  if (pending_writes_ == 0) written_.Schedule();
}

void Call::Finish(const absl::Status& status) {
  if (!is_open()) return;
  state_ = State::kFinished;
  SendEnd(status);
}

void Call::Drop() {
  end_ = nullptr;
  delegate_ = nullptr;
  Finish(absl::CancelledError("call dropped"));
}

}  // namespace culvert::web
