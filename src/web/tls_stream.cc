#include "web/tls_stream.h"

#include <utility>

#include "base/status.h"

namespace culvert::web {
namespace {

constexpr size_t kRecordHeader = 5;
// Of RFC 5246: plaintext and what a cipher may add.
constexpr size_t kMostRecord = (size_t{1} << 14) + 2048;

// The size of the record at the front, with its header; nothing while that is not there.
std::optional<size_t> RecordSize(std::string_view bytes) {
  if (bytes.size() < kRecordHeader) return std::nullopt;
  const auto high = static_cast<unsigned char>(bytes[3]);
  const auto low = static_cast<unsigned char>(bytes[4]);
  return kRecordHeader + (size_t{high} << 8) + low;
}

}  // namespace

TlsStream::TlsStream(net::EventLoop& loop, std::unique_ptr<net::ByteStream> socket,
                     crypto::TlsSecured secured)
    : socket_(std::move(socket)),
      records_(std::move(secured.records)),
      sealed_(std::move(secured.rest)),
      open_(loop, [this] { Open(); }) {
  socket_->SetDelegate(this);
}

TlsStream::~TlsStream() = default;

void TlsStream::SetReading(bool on) {
  if (input_ == Input::kEnded || input_ == Input::kBroken) return;
  input_ = on ? Input::kReading : Input::kPaused;
  if (on && !sealed_.empty()) open_.Schedule();
  socket_->SetReading(on);
}

void TlsStream::Write(Bytes bytes, Completion done) {
  absl::StatusOr<Bytes> sealed = records_->Seal(bytes.view());
  if (sealed.ok()) {
    socket_->Write(*std::move(sealed), std::move(done));
  } else {  // the key has sealed all that it may
    Break(sealed.status());
  }
}

void TlsStream::FinishWriting(Completion done) {
  absl::StatusOr<Bytes> sealed = records_->SealCloseNotify();
  if (sealed.ok()) socket_->Write(*std::move(sealed), [](const absl::Status&) {});
  socket_->FinishWriting(std::move(done));
}

void TlsStream::OnBytes(Bytes bytes) {
  sealed_ += bytes.view();
  Open();
}

void TlsStream::Open() {
  if (delegate_ == nullptr) return;
  if (input_ == Input::kReading) {
    if (absl::Status opened = OpenRecords(); !opened.ok()) Break(std::move(opened));
  } else if (input_ != Input::kPaused) {
    TellEnd();
  }
}

void TlsStream::TellEnd() {
  if (input_ == Input::kBroken) {
    std::exchange(delegate_, nullptr)->OnBroken(broken_);
  } else {
    delegate_->OnEnd();
  }
}

absl::Status TlsStream::OpenRecords() {
  size_t whole = 0;
  while (const auto size = RecordSize(std::string_view(sealed_).substr(whole))) {
    if (*size > kRecordHeader + kMostRecord) {
      return absl::InvalidArgumentError("a TLS record that is too long");
    }
    if (whole + *size > sealed_.size()) break;
    whole += *size;
  }
  if (whole == 0) return absl::OkStatus();
  CULVERT_ASSIGN_OR_RETURN(crypto::OpenedMessage opened,
                           records_->Open(std::string_view(sealed_).substr(0, whole)));
  sealed_.erase(0, whole);
  if (opened.alert) {
    socket_->SetReading(false);
    input_ = opened.alert->is_close_notify() ? Input::kEnded : Input::kBroken;
    broken_ = absl::AbortedError("the peer says " + crypto::AlertName(opened.alert->description));
    open_.Schedule();
  }
  if (!opened.data.empty()) delegate_->OnBytes(std::move(opened.data));  // may destroy this
  return absl::OkStatus();
}

void TlsStream::OnEnd() { OnBroken(absl::AbortedError("ended without close_notify")); }

void TlsStream::OnBroken(absl::Status why) {
  input_ = Input::kBroken;
  broken_ = std::move(why);
  if (delegate_ != nullptr) TellEnd();
}

void TlsStream::Break(absl::Status why) {
  socket_->SetReading(false);
  input_ = Input::kBroken;
  broken_ = std::move(why);
  open_.Schedule();
}

// What a thread is given and gives back.
struct TlsGreeting::Step {
  std::string incoming;
  std::string outgoing;
  absl::StatusOr<crypto::TlsEngine::Progress> progress = crypto::TlsEngine::Progress::kWantsBytes;

  void Run(crypto::TlsEngine& engine) {
    const absl::Status fed = engine.Feed(std::exchange(incoming, {}));
    progress = fed.ok() ? engine.Handshake() : absl::StatusOr<crypto::TlsEngine::Progress>(fed);
    outgoing = engine.TakeOutput();
  }
};

TlsGreeting::TlsGreeting(net::WorkerQueue& workers, std::unique_ptr<net::ByteStream> socket,
                         std::shared_ptr<const crypto::TlsContext> context, OnDone on_done)
    : workers_(workers),
      socket_(std::move(socket)),
      engine_(std::make_shared<crypto::TlsEngine>(std::move(context),
                                                  std::chrono::system_clock::now())),
      on_done_(std::move(on_done)) {
  socket_->SetDelegate(this);
  socket_->SetReading(true);
}

TlsGreeting::~TlsGreeting() = default;

void TlsGreeting::OnBytes(Bytes bytes) {
  socket_->SetReading(false);  // one step at a time
  auto step = std::make_shared<Step>();
  step->incoming = bytes.view();
  job_ = workers_.Submit([engine = engine_, step] { step->Run(*engine); },
                         [this, step] { HandleStep(*step); });
}

void TlsGreeting::HandleStep(const Step& step) {
  job_.reset();
  // An alert too, where it failed.
  if (!step.outgoing.empty()) socket_->Write(Bytes(step.outgoing), [](const absl::Status&) {});
  if (!step.progress.ok()) {
    Finish(step.progress.status());
  } else if (*step.progress == crypto::TlsEngine::Progress::kDone) {
    crypto::TlsSecured secured = engine_->TakeSecured();
    Greeted greeted;
    if (secured.peer) greeted.certificate = secured.peer->Pem();
    greeted.stream =
        std::make_unique<TlsStream>(workers_.loop(), std::move(socket_), std::move(secured));
    Finish(std::move(greeted));
  } else {
    socket_->SetReading(true);
  }
}

void TlsGreeting::OnEnd() { Finish(absl::AbortedError("ended in the TLS handshake")); }

void TlsGreeting::OnBroken(absl::Status why) {
  job_.reset();
  Finish(std::move(why));
}

void TlsGreeting::Finish(absl::StatusOr<Greeted> result) {
  if (OnDone on_done = std::exchange(on_done_, nullptr)) std::move(on_done)(std::move(result));
}

}  // namespace culvert::web
