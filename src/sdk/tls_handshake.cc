#include "sdk/tls_handshake.h"

#include <utility>

namespace culvert {

// What a thread is given and gives back.
struct TlsHandshake::Step {
  std::string incoming;
  std::string outgoing;
  absl::StatusOr<crypto::TlsEngine::Progress> progress = crypto::TlsEngine::Progress::kWantsBytes;

  void Run(crypto::TlsEngine& engine, crypto::TlsEngine::Effort effort) {
    const absl::Status fed = engine.Feed(std::exchange(incoming, {}));
    progress =
        fed.ok() ? engine.Handshake(effort) : absl::StatusOr<crypto::TlsEngine::Progress>(fed);
    // What there is by then goes out with the rest.
    if (!takes_long()) outgoing = engine.TakeOutput();
  }
  bool takes_long() const {
    return progress.ok() && *progress == crypto::TlsEngine::Progress::kTakesLong;
  }
};

TlsHandshake::TlsHandshake(net::WorkerQueue& workers,
                           const std::shared_ptr<const crypto::TlsContext>& context,
                           std::shared_ptr<const crypto::TlsSession> session, Send send,
                           OnDone on_done)
    : TlsHandshake(workers,
                   std::make_shared<crypto::TlsEngine>(context, std::chrono::system_clock::now(),
                                                       std::move(session)),
                   std::move(send), std::move(on_done)) {
  if (context->role() == crypto::TlsRole::kClient) run_.Schedule();
}

TlsHandshake::TlsHandshake(net::WorkerQueue& workers, std::shared_ptr<crypto::TlsEngine> begun,
                           Send send, OnDone on_done)
    : workers_(workers),
      engine_(std::move(begun)),
      send_(std::move(send)),
      on_done_(std::move(on_done)),
      run_(workers.loop(), [this] { Run(); }) {}

TlsHandshake::~TlsHandshake() = default;

void TlsHandshake::Take(const Bytes& message) {
  incoming_.append(message.view());
  RunIfIdle();
}

// Not while a thread has the engine, nor once it is done.
void TlsHandshake::RunIfIdle() {
  if (job_ == nullptr && on_done_ && !incoming_.empty()) run_.Schedule();
}

void TlsHandshake::Run() {
  if (job_ != nullptr || !on_done_) return;
  auto step = std::make_shared<Step>();
  step->incoming = std::exchange(incoming_, {});
  if (kind_ == Kind::kUnknown) {
    step->Run(*engine_, crypto::TlsEngine::Effort::kLittle);
    if (!step->takes_long()) {
      HandleStep(*step);
      return;
    }
    kind_ = Kind::kFull;
  }
  RunOnThread(step);
}

void TlsHandshake::RunOnThread(const std::shared_ptr<Step>& step) {
  job_ = workers_.Submit(
      [engine = engine_, step] { step->Run(*engine, crypto::TlsEngine::Effort::kAny); },
      [this, step] { HandleStep(*step); });
}

void TlsHandshake::HandleStep(const Step& step) {
  job_.reset();
  const bool over = !step.progress.ok() || *step.progress == crypto::TlsEngine::Progress::kDone;
  // Sending may bring the next message of the peer.
  OnDone on_done = over ? std::exchange(on_done_, nullptr) : nullptr;
  if (!step.outgoing.empty()) send_(Bytes(step.outgoing));
  if (!over) {
    RunIfIdle();
  } else if (step.progress.ok()) {
    crypto::TlsSecured secured = engine_->TakeSecured();
    secured.rest += incoming_;
    std::move(on_done)(std::move(secured));
  } else {
    std::move(on_done)(step.progress.status());
  }
}

}  // namespace culvert
