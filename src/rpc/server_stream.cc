#include "rpc/server_stream.h"

#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "net/timer.h"
#include "rpc/grpc_convert.h"
#include "rpc/write_queue.h"

namespace culvert::rpc {
namespace {

using grpc::ByteBuffer;

// gRPC's context of one call, which dies when OnDone has returned, while the loop hears of that
// only later: hence the lock.
class CallContext {
 public:
  explicit CallContext(grpc::CallbackServerContext& context) : context_(&context) {}

  void TryCancel() {
    const MutexLock lock(mutex_);
    if (context_ != nullptr) context_->TryCancel();
  }
  void Forget() {
    const MutexLock lock(mutex_);
    context_ = nullptr;
  }

 private:
  Mutex mutex_;
  grpc::CallbackServerContext* context_ ABSL_GUARDED_BY(mutex_);
};

// Lives until the task that OnDone posts; OnDone cannot come before Finish, which only the loop
// calls (ARCHITECTURE.md, "Threads").
class Reactor final : public ServerReactor {
 public:
  Reactor(net::EventLoop& loop, grpc::CallbackServerContext& context, Duration linger)
      : loop_(loop), context_(context), linger_time_(linger) {}

  // On the loop, before anything else: a timer belongs to its loop's thread.
  void Adopt() { linger_.emplace(loop_); }

  void Bind(Reactor** owner) { owner_ = owner; }
  void set_delegate(Stream::Delegate* delegate) { delegate_ = delegate; }
  void Hold(std::shared_ptr<void> what) { held_ = std::move(what); }

  void Read() {
    if (state_ != State::kOpen || reading_ || peer_finished_) return;
    reading_ = true;
    StartRead(&incoming_);
  }

  void Write(const Frame& frame) {
    if (state_ != State::kOpen) return;
    writes_.Push(frame);
    PumpWrites();
  }

  size_t pending_writes() const { return writes_.size(); }

  void FinishAfterWrites(const absl::Status& status) {
    if (state_ != State::kOpen) return;
    state_ = State::kFinishing;
    final_status_ = status;
    Linger();
    PumpWrites();
  }

  // The owner is gone.
  void Abandon() {
    owner_ = nullptr;
    delegate_ = nullptr;
    // An orderly Finish goes on to write what is queued.
    if (state_ != State::kOpen) return;
    context_.TryCancel();
    FinishNow(absl::CancelledError("stream dropped"));
  }

 private:
  enum class State {
    kOpen,
    kFinishing,  // Finish follows the queued writes
    kFinished,   // Finish was called; OnDone follows
  };

  void OnReadDone(bool ok) override {
    loop_.Post([this, ok] { HandleReadDone(ok); });
  }
  void OnWriteDone(bool ok) override {
    loop_.Post([this, ok] { HandleWriteDone(ok); });
  }
  void OnCancel() override {
    loop_.Post([this] { HandleCancel(); });
  }
  void OnDone() override {
    context_.Forget();
    loop_.Post([this] { HandleDone(); });
  }

  void HandleReadDone(bool ok) {
    reading_ = false;
    if (delegate_ == nullptr || state_ != State::kOpen) return;
    if (!ok) {
      peer_finished_ = true;
      // Also seen when the stream was cancelled: then OnCancel comes (or came) and says so.
      delegate_->OnPeerFinished();
      return;
    }
    Bytes message = ToBytes(incoming_);
    incoming_.Clear();
    delegate_->OnMessage(std::move(message));
  }

  void HandleWriteDone(bool) {
    writes_.Written();
    PumpWrites();
    if (writes_.empty() && delegate_ != nullptr && state_ == State::kOpen) delegate_->OnWritten();
  }

  void HandleCancel() {
    if (state_ == State::kFinished) return;
    const bool own_finish = state_ == State::kFinishing;
    FinishNow(absl::CancelledError("peer went away"));
    if (own_finish) return;
    if (Stream::Delegate* const delegate = std::exchange(delegate_, nullptr)) {
      delegate->OnEnd(absl::CancelledError("peer went away"));
    }
  }

  void HandleDone() {
    if (owner_ != nullptr) *owner_ = nullptr;
    delete this;
  }

  void PumpWrites() {
    if (state_ == State::kFinished) return;
    if (const ByteBuffer* next = writes_.StartNext()) {
      StartWrite(next);
    } else if (state_ == State::kFinishing && writes_.empty()) {
      FinishNow(*final_status_);
    }
  }

  void FinishNow(const absl::Status& status) {
    state_ = State::kFinished;
    writes_.Drop();
    if (!linger_->is_set()) Linger();
    Finish(ToGrpc(status));
  }

  // The status goes behind the message in flight, and that waits for flow control: a client that
  // does not read would keep the stream for ever.
  void Linger() {
    linger_->Start(linger_time_, [this] {
      context_.TryCancel();
      if (state_ == State::kFinishing) FinishNow(*final_status_);
    });
  }

  net::EventLoop& loop_;
  CallContext context_;
  const Duration linger_time_;
  std::shared_ptr<void> held_;
  Stream::Delegate* delegate_ = nullptr;
  Reactor** owner_ = nullptr;  // the owner's pointer to us, cleared before we go
  ByteBuffer incoming_;
  WriteQueue writes_;
  std::optional<absl::Status> final_status_;
  std::optional<net::Timer> linger_;
  State state_ = State::kOpen;
  bool reading_ = false;
  bool peer_finished_ = false;
};

class ServerStream final : public Stream {
 public:
  explicit ServerStream(Reactor* reactor) : reactor_(reactor) { reactor_->Bind(&reactor_); }
  ~ServerStream() override {
    if (reactor_ != nullptr) reactor_->Abandon();
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
  void Finish(absl::Status status) override {
    if (reactor_ != nullptr) reactor_->FinishAfterWrites(status);
  }
  void HoldUntilDone(std::shared_ptr<void> what) override {
    if (reactor_ != nullptr) reactor_->Hold(std::move(what));
  }

 private:
  Reactor* reactor_;
};

}  // namespace

ServerReactor* AcceptServerStream(net::EventLoop& loop, grpc::CallbackServerContext& context,
                                  Duration linger,
                                  absl::AnyInvocable<void(std::unique_ptr<Stream>) &&> adopt) {
  auto* reactor = new Reactor(loop, context, linger);
  // First in the queue: every reaction of this stream is handled after it.
  loop.Post([reactor, adopt = std::move(adopt)]() mutable {
    reactor->Adopt();
    std::move(adopt)(std::make_unique<ServerStream>(reactor));
  });
  return reactor;
}

}  // namespace culvert::rpc
