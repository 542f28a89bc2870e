#include "stitch/stitch_path.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "stitch/frame_message.h"

namespace culvert::stitch {
namespace {

// More than this is handed to the kernel without waiting for the end of the turn.
constexpr size_t kGathered = size_t{64} * 1024;

// What a read of so many bytes keeps alive: see ByteStream::SetReadSize.
size_t MemoryOf(size_t bytes) {
  constexpr size_t kBuffer = net::ByteStream::kMostReadSize;
  return 2 * bytes >= kBuffer ? kBuffer : bytes;
}

absl::Status Misplaced(std::string_view what) {
  return absl::DataLossError(fmt::format("stitched path: {}", what));
}

}  // namespace

StitchPath::StitchPath(net::EventLoop& loop, std::unique_ptr<net::TcpStream> stream,
                       const v1::StitchHello& hello, HelloListener& listener,
                       tunnel::Path::Delegate& delegate, const Times& times, const Bytes& early)
    : loop_(loop),
      stream_(std::move(stream)),
      listener_(listener),
      delegate_(&delegate),
      times_(times),
      turn_end_(loop, [this] { HandleTurnEnd(); }),
      timer_(loop),
      look_(loop),
      early_bytes_(early.size()),
      heard_at_(loop.Now()),
      silent_from_(heard_at_) {
  stream_->SetDelegate(this);
  stream_->SetResetOnClose(true);
  stream_->SetReadSize(net::ByteStream::kMostReadSize);
  stream_->SetReading(true);
  const std::string body = hello.SerializeAsString();
  CULVERT_CHECK(body.size() <= kMostHelloBytes);
  AppendControl(FrameType::kHello, body);
  if (!early.empty()) Gather(tunnel::Data{1, early});
  Flush();
  AwaitHello(times_.hello);
}

void StitchPath::AwaitHello(Duration limit) {
  CULVERT_CHECK(state_ == State::kOpening);
  timer_.Start(limit,
               [this] { End(absl::DeadlineExceededError("stitched path: no Hello of the peer")); });
}

StitchPath::~StitchPath() {
  if (gone_ != nullptr) *gone_ = true;
}

// --- sending ---

bool StitchPath::ready() const { return state_ == State::kUp && unwritten_ < kMostUnwritten; }

void StitchPath::Send(const tunnel::Message& message) {
  CULVERT_CHECK(ready());
  const auto* const data = std::get_if<tunnel::Data>(&message);
  if (data != nullptr && early_bytes_ > 0) {
    CULVERT_CHECK(data->id == 1 && data->bytes.size() == std::exchange(early_bytes_, 0));
    return;
  }
  Gather(message);
  const bool first_data = data != nullptr && sent_ == Sent::kNothing;
  if (first_data) sent_ = Sent::kData;
  if (first_data || gathered_bytes_ >= kGathered) Flush();
  turn_end_.Schedule();
}

void StitchPath::Gather(const tunnel::Message& message) {
  const size_t bytes = AppendFrame(message, &gathered_);
  gathered_bytes_ += bytes;
  unwritten_ += bytes;
}

void StitchPath::AppendControl(FrameType type, std::string_view body) {
  const size_t bytes = AppendFrame(type, body, &gathered_);
  gathered_bytes_ += bytes;
  unwritten_ += bytes;
  turn_end_.Schedule();
}

void StitchPath::Flush() {
  if (gathered_.empty()) return;
  const size_t bytes = std::exchange(gathered_bytes_, 0);
  const Pong pong = std::exchange(gathered_pong_, Pong::kNone);
  if (!look_.is_set()) LookAgain(times_.look);
  stream_->WriteAll(std::exchange(gathered_, {}), [this, bytes, pong](const absl::Status& status) {
    if (status.ok()) HandleWritten(bytes, pong);
  });
}

void StitchPath::HandleWritten(size_t bytes, Pong pong) {
  const bool was_ready = ready();
  unwritten_ -= bytes;
  if (pong == Pong::kUnwritten) pong_ = Pong::kNone;
  if (!was_ready && ready()) delegate_->OnPathReady();
}

void StitchPath::HandleTurnEnd() {
  sent_ = Sent::kNothing;
  if (state_ == State::kEnded) return;
  Flush();
  if (held_ && reading_) Drain();
}

void StitchPath::Finish() {
  if (state_ != State::kUp) return;
  Become(State::kFinishing);
  gathered_bytes_ = 0;  // nobody asks for room any more
  stream_->FinishWith(std::exchange(gathered_, {}),
                      [this](const absl::Status& status) { HandleFinished(status); });
}

void StitchPath::HandleFinished(const absl::Status& status) {
  if (!status.ok()) return;  // OnBroken tells
  if (state_ == State::kPeerFinished) {
    End(absl::OkStatus());
  } else {
    Become(State::kFinished);
  }
}

// --- receiving ---

void StitchPath::SetReading(bool on) {
  reading_ = on;
  if (on && held_) turn_end_.Schedule();
}

void StitchPath::OnBytes(Bytes bytes) {
  heard_at_ = loop_.Now();
  const size_t memory = MemoryOf(bytes.size());
  reader_.Feed(std::move(bytes), memory);
  Drain();
}

void StitchPath::Drain() {
  bool gone = false;
  gone_ = &gone;
  while (HandleNext()) {
    if (gone) return;
  }
  if (gone) return;
  gone_ = nullptr;
  UpdateReading();
}

// Whether there may be more.
bool StitchPath::HandleNext() {
  if (state_ == State::kEnded) return false;
  if (held_) {
    if (!reading_) return false;
    GiveOut(*std::exchange(held_, std::nullopt));
    return true;
  }
  absl::StatusOr<std::optional<Frame>> frame = reader_.Next();
  if (!frame.ok()) {
    End(Annotate(frame.status(), "stitched path"));
    return true;
  }
  if (!*frame) return false;
  HandleFrame(**std::move(frame));
  return true;
}

// May destroy the path; so may what it calls.
void StitchPath::HandleFrame(Frame frame) {
  const FrameType type = frame.header.type;
  if ((type == FrameType::kHello) != (state_ == State::kOpening)) {
    End(Misplaced(type == FrameType::kHello ? "a second Hello" : "a frame before Hello"));
  } else if (type == FrameType::kHello) {
    HandleHello(frame);
  } else if (type == FrameType::kPing) {
    if (state_ != State::kUp || pong_ != Pong::kNone) return;
    pong_ = gathered_pong_ = Pong::kUnwritten;
    AppendControl(FrameType::kPong, {});
  } else if (type != FrameType::kPong) {
    GiveOut(ToMessage(std::move(frame)));
  }
}

void StitchPath::HandleHello(const Frame& frame) {
  v1::StitchHello hello;
  if (!hello.ParseFromArray(frame.body.data(), static_cast<int>(frame.body.size()))) {
    End(Misplaced("a Hello that does not parse"));
    return;
  }
  // Up before the listener hears of it, who may hand the path over to one who sends at once.
  Become(State::kUp);
  silent_from_ = heard_at_;
  StartSilence(times_.ping);
  bool* const gone = gone_;
  absl::Status accepted = listener_.OnHello(hello);
  if (*gone) return;
  if (!accepted.ok()) {
    End(std::move(accepted));
  } else if (ready()) {
    delegate_->OnPathReady();
  }
}

void StitchPath::GiveOut(tunnel::Message message) {
  if (reading_) {
    delegate_->OnPathMessage(std::move(message));
  } else {
    held_ = std::move(message);
  }
}

void StitchPath::UpdateReading() {
  if (state_ == State::kEnded) return;
  stream_->SetReading(!held_);
  stream_->SetReadSize(reader_.NextRead(net::ByteStream::kMostReadSize));
}

// --- the end ---

void StitchPath::OnEnd() {
  if (reader_.is_inside_frame()) {
    End(Lost("it ends in the middle of a message"));
  } else if (state_ == State::kFinished) {
    End(absl::OkStatus());
  } else if (state_ == State::kFinishing) {
    Become(State::kPeerFinished);
  } else {
    End(Lost("the other end is gone"));
  }
}

void StitchPath::OnBroken(absl::Status why) { End(Lost(MessageOf(why))); }

void StitchPath::Become(State state) {
  static constexpr const char* kNames[] = {"opening",       "up",   "finishing", "finished",
                                           "peer finished", "ended"};
  CULVERT_LOG(kDebug, "[stitched {}] {} -> {}", stream_->PeerName(),
              kNames[static_cast<size_t>(state_)], kNames[static_cast<size_t>(state)]);
  state_ = state;
}

absl::Status StitchPath::Lost(std::string_view why) {
  return absl::UnavailableError(fmt::format("stitched path lost: {}", why));
}

void StitchPath::End(absl::Status why) {
  Become(State::kEnded);
  timer_.Cancel();
  look_.Cancel();
  if (why.ok()) stream_->SetResetOnClose(false);
  stream_.reset();
  held_.reset();
  delegate_->OnPathEnd(std::move(why));
}

}  // namespace culvert::stitch
