#include "sdk/tls_handshake.h"

#include <utility>

namespace culvert {

// What a thread is given and gives back.
struct TlsHandshake::Step {
  std::string incoming;
  std::string outgoing;
  absl::StatusOr<crypto::TlsEngine::Progress> progress = crypto::TlsEngine::Progress::kWantsBytes;

  void Run(crypto::TlsEngine& engine) {
    const absl::Status fed = engine.Feed(incoming);
    progress = fed.ok() ? engine.Handshake() : absl::StatusOr<crypto::TlsEngine::Progress>(fed);
    outgoing = engine.TakeOutput();
  }
};

TlsHandshake::TlsHandshake(WorkerQueue& workers,
                           const std::shared_ptr<const crypto::TlsContext>& context,
                           std::shared_ptr<const crypto::TlsSession> session, Send send,
                           OnDone on_done)
    : workers_(workers),
      engine_(std::make_shared<crypto::TlsEngine>(context, std::chrono::system_clock::now(),
                                                  std::move(session))),
      send_(std::move(send)),
      on_done_(std::move(on_done)) {
  if (context->role() == crypto::TlsRole::kClient) Run();
}

TlsHandshake::~TlsHandshake() = default;

void TlsHandshake::Take(const Bytes& message) {
  incoming_.append(message.view());
  RunIfIdle();
}

// Not while a thread has the engine, nor once it is done.
void TlsHandshake::RunIfIdle() {
  if (job_ == nullptr && on_done_ && !incoming_.empty()) Run();
}

void TlsHandshake::Run() {
  auto step = std::make_shared<Step>();
  step->incoming = std::exchange(incoming_, {});
  job_ = workers_.Submit([engine = engine_, step] { step->Run(*engine); },
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
