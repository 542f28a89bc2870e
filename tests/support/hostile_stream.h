// A broker that changes what it carries.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "rpc/stream.h"

namespace culvert::test {

// Stands between a broker and one of its streams. What clients say can be changed, dropped, held
// back and made up; what the broker says can be changed. Confined to the broker's loop.
class HostileStream final : public rpc::Stream, private rpc::Stream::Delegate {
 public:
  // From a client: what the broker gets instead, in order, which may be nothing.
  using FromClient = std::function<std::deque<std::string>(std::string message)>;
  using FromBroker = std::function<std::string(std::string message)>;

  HostileStream(std::unique_ptr<rpc::Stream> inner, FromClient from_client, FromBroker from_broker)
      : inner_(std::move(inner)),
        from_client_(std::move(from_client)),
        from_broker_(std::move(from_broker)) {}

  void SetDelegate(rpc::Stream::Delegate* delegate) override {
    delegate_ = delegate;
    inner_->SetDelegate(delegate == nullptr ? nullptr : this);
  }
  void Read() override { inner_->Read(); }
  void Write(rpc::Frame frame) override {
    std::string message = std::move(frame.head) + std::string(frame.body.view());
    inner_->Write({from_broker_ ? from_broker_(std::move(message)) : std::move(message), Bytes()});
  }
  size_t pending_writes() const override { return inner_->pending_writes(); }
  void Finish(absl::Status status) override { inner_->Finish(std::move(status)); }
  void HoldUntilDone(std::shared_ptr<void> what) override {
    inner_->HoldUntilDone(std::move(what));
  }

 private:
  void OnMessage(Bytes message) override {
    std::deque<std::string> instead{std::string(message.view())};
    if (from_client_) instead = from_client_(instead.front());
    if (instead.empty()) inner_->Read();
    // More messages than were asked for: the relay only queues them for the other half.
    for (std::string& text : instead) {
      if (delegate_ != nullptr) delegate_->OnMessage(Bytes(std::move(text)));
    }
  }
  void OnWritten() override {
    if (delegate_ != nullptr) delegate_->OnWritten();
  }
  void OnPeerFinished() override {
    if (delegate_ != nullptr) delegate_->OnPeerFinished();
  }
  void OnEnd(absl::Status status) override {
    if (delegate_ != nullptr) delegate_->OnEnd(std::move(status));
  }

  std::unique_ptr<rpc::Stream> inner_;
  const FromClient from_client_;
  const FromBroker from_broker_;
  rpc::Stream::Delegate* delegate_ = nullptr;
};

}  // namespace culvert::test
