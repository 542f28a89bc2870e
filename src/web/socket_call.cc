#include "web/socket_call.h"

#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "rpc/limits.h"
#include "web/transcoding.h"

namespace culvert::web {
namespace {

constexpr uint16_t kBadMessage = 1007;
constexpr uint16_t kOwnFault = 1011;
constexpr uint16_t kStatusCodes = 4000;  // and the code

}  // namespace

SocketCall::SocketCall(net::WorkerQueue& workers, Owner& owner, const Route& route,
                       net::ByteStream& stream)
    : Call(workers.loop()),
      owner_(owner),
      route_(route),
      stream_(stream),
      socket_(rpc::kMaxMessageBytes),
      workers_(workers),
      writer_(workers, *route.rpc->output_type(),
              [this](absl::StatusOr<std::string> json) {
                if (json.ok()) {
                  SendMessage({true, *std::move(json)});
                } else {
                  Refuse(kOwnFault, std::string(MessageOf(json.status())));
                }
              }),
      timer_(workers.loop()) {
  stream_.SetDelegate(this);
  timer_.Start(kSilence, [this] { CheckSilence(); });
}

// What has come may end it, and whoever ends it starts another timer.
void SocketCall::Begin(std::string_view early) {
  if (phase_ == Phase::kOpen) Take(early);
}

void SocketCall::Take(std::string_view bytes) {
  socket_.Feed(bytes);
  Flush(/*frame=*/false);
  if (socket_.has_ended()) HandleEndOfInput();
  SetReading();
  DeliverLater();
}

// A close frame answers what has come.
void SocketCall::HandleEndOfInput() {
  if (socket_.has_closed()) {
    End(Phase::kLeft);  // what came before it is still to be delivered
  } else {
    End(Phase::kEnding);
    EndByPeer();
  }
}

// Messages that wait, and pongs that the client does not take, stop the reading.
void SocketCall::SetReading() {
  const bool wanted =
      phase_ == Phase::kOpen && !socket_.has_ended() && !socket_.has_message() && unsent_ == 0;
  // What still comes after a close frame is dropped.
  stream_.SetReading(wanted || phase_ == Phase::kLeft || phase_ == Phase::kEnding);
}

void SocketCall::Deliver() {
  if (!is_read_wanted() || job_ != nullptr) return;
  if (socket_.has_message()) {
    SocketMessage message = socket_.TakeMessage();
    SetReading();
    if (!is_text_) is_text_ = message.is_text;
    Decode(std::move(message));
  } else if (socket_.has_ended()) {
    DeliverEndOfInput();
  }
}

void SocketCall::Decode(SocketMessage message) {
  const auto& type = *route_.rpc->input_type();
  if (!message.is_text) {
    DeliverMessage(Bytes(std::move(message.content)));
  } else if (message.content.size() <= kMostOnLoop) {
    DeliverOrRefuse(FromJson(type, message.content));
  } else {
    auto bytes = std::make_shared<absl::StatusOr<Bytes>>();
    job_ = workers_.Submit(
        [&type, json = std::move(message.content), bytes] { *bytes = FromJson(type, json); },
        [this, bytes] {
          job_.reset();
          if (is_open()) DeliverOrRefuse(std::move(*bytes));
        });
  }
}

void SocketCall::DeliverOrRefuse(absl::StatusOr<Bytes> bytes) {
  if (bytes.ok()) {
    DeliverMessage(*std::move(bytes));
  } else {
    Refuse(kBadMessage, std::string(MessageOf(bytes.status())));
  }
}

void SocketCall::Refuse(uint16_t code, const std::string& why) {
  Close(code, why);
  EndByPeer();
}

void SocketCall::Send(rpc::Frame frame) {
  if (is_text_.value_or(false)) {
    writer_.Push(std::move(frame));
  } else {
    SendMessage({false, std::move(frame.head) + std::string(frame.body.view())});
  }
}

void SocketCall::SendMessage(const SocketMessage& message) {
  socket_.Send(message);
  Flush(/*frame=*/true);
}

void SocketCall::SendEnd(const absl::Status& status) {
  writer_.Finish([this, status] {
    const bool ok = status.ok();
    const int code = ok ? WebSocket::kNormal : kStatusCodes + static_cast<int>(status.code());
    Close(static_cast<uint16_t>(code), MessageOf(status));
  });
}

void SocketCall::Close(uint16_t code, std::string_view reason) {
  if (phase_ == Phase::kLeft) Finish();
  if (phase_ != Phase::kOpen) return;
  socket_.SendClose(code, reason);
  Flush(/*frame=*/false);
  End(Phase::kEnding);
}

void SocketCall::End(Phase phase) {
  phase_ = phase;
  stream_.FinishWriting([](const absl::Status&) {});
  SetReading();
  timer_.Start(phase == Phase::kLeft ? kFarewell : kLinger, [this] {
    EndByPeer();
    Finish();
  });
}

void SocketCall::Flush(bool frame) {
  std::string output = socket_.TakeOutput();
  if (phase_ != Phase::kOpen || output.empty()) {
    if (frame) HandleWritten();
    return;
  }
  ++unsent_;
  stream_.Write(Bytes(std::move(output)), [this, frame](const absl::Status& status) {
    if (!status.ok()) return;  // OnBroken follows
    --unsent_;
    SetReading();
    if (frame) HandleWritten();
  });
}

void SocketCall::OnBytes(Bytes bytes) {
  heard_ = true;
  if (phase_ == Phase::kOpen) Take(bytes.view());
}

void SocketCall::OnEnd() {
  if (phase_ == Phase::kLeft) return;  // it said so before
  EndByPeer();
  Finish();
}

void SocketCall::OnBroken(absl::Status) {
  if (phase_ == Phase::kLeft) return;
  EndByPeer();
  Finish();
}

// While we do not read, the connection is the kernel's matter.
void SocketCall::CheckSilence() {
  const bool reads = !socket_.has_message() && unsent_ == 0;
  if (reads && !heard_) {
    EndByPeer();
    Finish();
    return;
  }
  heard_ = false;
  if (unsent_ == 0) {
    socket_.SendPing();
    Flush(/*frame=*/false);
  }
  timer_.Start(kSilence, [this] { CheckSilence(); });
}

void SocketCall::Finish() {
  if (std::exchange(phase_, Phase::kOver) == Phase::kOver) return;
  timer_.Cancel();
  owner_.OnSocketOver();
}

}  // namespace culvert::web
