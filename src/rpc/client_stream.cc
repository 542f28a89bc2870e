#include "rpc/client_stream.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <utility>

#include "base/check.h"
#include "rpc/grpc_convert.h"
#include "rpc/stream_info.h"
#include "rpc/write_queue.h"

namespace culvert::rpc {
namespace {

using grpc::ByteBuffer;

// Lives from StartCall to the task that OnDone posts. Why [this] is safe in the posted tasks: gRPC
// calls OnDone after every other reaction has returned, the loop's queue is first in, first out, so
// the task that deletes the reactor is the last one that mentions it (ARCHITECTURE.md, "Threads").
class ClientReactor final : public grpc::ClientBidiReactor<ByteBuffer, ByteBuffer> {
 public:
  ClientReactor(net::EventLoop& loop, const std::shared_ptr<grpc::ChannelInterface>& channel,
                std::shared_ptr<Traffic> traffic)
      : loop_(loop), stub_(channel), keep_alive_(loop), traffic_(std::move(traffic)) {}

  void Start(const std::string& method) {
    stub_.PrepareBidiStreamingCall(&context_, method, grpc::StubOptions(), this);
    AddHold();
    StartCall();
  }

  void set_delegate(Stream::Delegate* delegate) { delegate_ = delegate; }
  void Hold(std::shared_ptr<void> what) { held_ = std::move(what); }

  void Read() {
    if (state_ != State::kOpen || reading_) return;
    reading_ = true;
    StartRead(&incoming_);
  }

  void Write(const Frame& frame) {
    if (state_ != State::kOpen || writing_ != Writing::kOpen) return;
    writes_.Push(frame);
    PumpWrites();
  }

  // What is written after a failure would be lost: one frame is pending for good then.
  size_t pending_writes() const {
    const bool writable = state_ == State::kOpen && writing_ != Writing::kBroken;
    return writable ? writes_.size() : 1;
  }

  void HalfClose() {
    if (writing_ == Writing::kOpen) writing_ = Writing::kFinishing;
    PumpWrites();
  }

  void FinishWriting() {
    reads_on_ = true;
    HalfClose();
    Read();  // the status comes only after all messages were read
  }

  std::string PeerAddress() const {
    const culvert::rpc::PeerAddress peer = ParsePeer(context_.peer());
    return peer.port == 0 ? "" : peer.ip;
  }

  // The owner is gone.
  void Abandon() {
    delegate_ = nullptr;
    if (state_ == State::kDone) return;
    context_.TryCancel();
    EndCall();
  }

 private:
  enum class State { kOpen, kEnding, kDone };
  enum class Writing {
    kOpen,
    kFinishing,  // after the queued frames
    kFinished,
    kBroken,  // the server has ended the call
  };

  void OnReadDone(bool ok) override {
    loop_.Post([this, ok] { HandleReadDone(ok); });
  }
  void OnWriteDone(bool ok) override {
    loop_.Post([this, ok] { HandleWriteDone(ok); });
  }
  void OnWritesDoneDone(bool) override {}
  void OnDone(const grpc::Status& status) override {
    loop_.Post([this, status] { HandleDone(status); });
  }

  void HandleReadDone(bool ok) {
    reading_ = false;
    if (!ok) {
      EndCall();
      return;
    }
    Bytes message = ToBytes(incoming_);
    incoming_.Clear();
    traffic_->last_heard = loop_.Now();
    ++traffic_->heard;
    if (delegate_ == nullptr) return;
    if (reads_on_) Read();
    delegate_->OnMessage(std::move(message));
  }

  void HandleWriteDone(bool ok) {
    writes_.Written();
    if (!ok) {
      // The server has ended the call. Its last messages are here already, and gRPC tells the
      // status only once they were read: whoever holds the reading back would not hear of the end.
      writing_ = Writing::kBroken;
      writes_.Drop();
      reads_on_ = true;
      Read();
      return;
    }
    PumpWrites();
    if (writes_.empty() && delegate_ != nullptr && state_ == State::kOpen) delegate_->OnWritten();
  }

  void HandleDone(const grpc::Status& status) {
    state_ = State::kDone;
    Stream::Delegate* const delegate = std::exchange(delegate_, nullptr);
    if (owner_gone_ != nullptr) *owner_gone_ = nullptr;
    if (delegate != nullptr) delegate->OnEnd(FromGrpc(status));
    delete this;
  }

  void PumpWrites() {
    if (state_ != State::kOpen || writing_ == Writing::kBroken) return;
    if (const ByteBuffer* next = writes_.StartNext()) {
      StartWrite(next);
      if (traffic_->on_write) traffic_->on_write();
    } else if (writing_ == Writing::kFinishing && writes_.empty()) {
      writing_ = Writing::kFinished;
      StartWritesDone();
    }
  }

  // No operation is started any more; OnDone follows once those under way have completed.
  void EndCall() {
    if (state_ != State::kOpen) return;
    state_ = State::kEnding;
    writes_.Drop();
    RemoveHold();
  }

  friend class ClientStream;

  net::EventLoop& loop_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  net::EventLoop::KeepAlive keep_alive_;
  Stream::Delegate* delegate_ = nullptr;
  ClientReactor** owner_gone_ = nullptr;  // the owner's pointer to us, cleared before we go
  const std::shared_ptr<Traffic> traffic_;
  std::shared_ptr<void> held_;
  ByteBuffer incoming_;
  WriteQueue writes_;
  State state_ = State::kOpen;
  bool reading_ = false;
  Writing writing_ = Writing::kOpen;
  bool reads_on_ = false;  // by itself, until the status comes
};

class ClientStream final : public Stream {
 public:
  explicit ClientStream(ClientReactor* reactor) : reactor_(reactor) {
    reactor_->owner_gone_ = &reactor_;
  }
  ~ClientStream() override {
    if (reactor_ == nullptr) return;
    reactor_->owner_gone_ = nullptr;
    reactor_->Abandon();
  }

  void SetDelegate(Delegate* delegate) override {
    if (reactor_ != nullptr) reactor_->set_delegate(delegate);
  }
  void Read() override {
    if (reactor_ != nullptr) reactor_->Read();
  }
  void Write(Frame frame) override {
    if (reactor_ != nullptr) reactor_->Write(frame);
  }
  size_t pending_writes() const override {
    return reactor_ == nullptr ? 0 : reactor_->pending_writes();
  }
  void Finish(absl::Status) override {
    if (reactor_ != nullptr) reactor_->FinishWriting();
  }
  void HalfClose() override {
    if (reactor_ != nullptr) reactor_->HalfClose();
  }
  void HoldUntilDone(std::shared_ptr<void> what) override {
    if (reactor_ != nullptr) reactor_->Hold(std::move(what));
  }
  std::string PeerAddress() const override {
    return reactor_ == nullptr ? "" : reactor_->PeerAddress();
  }

 private:
  ClientReactor* reactor_;
};

}  // namespace

std::unique_ptr<Stream> StartClientStream(net::EventLoop& loop,
                                          const std::shared_ptr<grpc::Channel>& channel,
                                          const std::string& method,
                                          std::shared_ptr<Traffic> traffic) {
  loop.AssertOnThread();
  auto* reactor =
      new ClientReactor(loop, std::shared_ptr<grpc::ChannelInterface>(channel), std::move(traffic));
  reactor->Start(method);
  return std::make_unique<ClientStream>(reactor);
}

}  // namespace culvert::rpc
