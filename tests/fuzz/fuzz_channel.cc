// One Channel against a peer that sends anything: messages of every kind with any ids and sizes, on
// paths that come and go, beside any calls of the local side. No crash, no more held than the
// protocol allows, and what has ended stays so.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "tunnel/channel.h"

namespace culvert::tunnel {
namespace {

// Reads numbers off the input; zeros when it is used up.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  bool done() const { return at_ >= size_; }
  uint8_t Byte() { return done() ? uint8_t{0} : data_[at_++]; }
  uint64_t Number(int bytes) {
    uint64_t number = 0;
    for (int i = 0; i < bytes; ++i) number = number << 8 | Byte();
    return number;
  }
  // Near `base` as a rule, since far from it most ids mean the same; anything at times.
  uint64_t Id(uint64_t base) {
    const uint8_t how = Byte();
    if (how == 255) return Number(8);
    return base + how % 8 - 3;
  }
  size_t Size() {
    const uint8_t how = Byte();
    if (how < 128) return how % 16;
    if (how < 224) return Number(2);
    return Number(3) % (kMaxLegacyDataBytes + 2);
  }
  std::optional<uint64_t> Window() {
    const uint8_t how = Byte();
    if (how < 64) return std::nullopt;
    return Number(how < 250 ? 3 : 8);
  }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
};

Bytes Filled(size_t size) {
  static const std::string zeros(kMaxLegacyDataBytes + 2, '\0');
  return Bytes(std::shared_ptr<const void>(), std::string_view(zeros).substr(0, size));
}

class Driver {
 public:
  explicit Driver(Input& input)
      : input_(input), budget_(input.Number(3)), channel_(OptionsFrom(input), budget_) {}

  void Run() {
    while (!input_.done()) {
      Step();
      Check();
    }
  }

 private:
  static Channel::Options OptionsFrom(Input& input) {
    Channel::Options options;
    options.peer_capabilities = input.Byte() % 4 == 0 ? 0 : kOwnCapabilities;
    options.peer_window = input.Window().value_or(0);
    options.own_window = input.Number(3);
    return options;
  }

  void Step() {
    switch (input_.Byte() % 12) {
      case 0:
        now_ += std::chrono::milliseconds(input_.Number(2));
        break;
      case 1:
        Attach();
        break;
      case 2:
        channel_.Detach();
        break;
      case 3:
      case 4:
        FromPeer();
        break;
      case 5:
        Expected();
        break;
      case 6:
        ToPeer();
        break;
      case 7:
        Send();
        break;
      case 8:
        (void)channel_.NextDelivery(now_);
        break;
      case 9:
        channel_.Delivered(now_);
        break;
      default:
        Local();
    }
  }

  void Attach() {
    const uint32_t attempt =
        input_.Byte() < 8 ? static_cast<uint32_t>(input_.Number(4)) : channel_.attempt() + 1;
    (void)channel_.Attach(attempt, input_.Id(last_sent_), input_.Window(), now_);
  }

  // The message that an honest peer could send next, so that the deep states are reached.
  void Expected() {
    if (!channel_.WantsMessages()) return;
    const uint64_t id = channel_.last_received_id() + 1;
    switch (input_.Byte() % 5) {
      case 0:
        Deliver(Data{id, Filled(input_.Size()), false, true});
        break;
      case 1:
        Deliver(Ack{last_sent_, input_.Window()});
        break;
      case 2:
        Deliver(Close{id});
        break;
      default:
        Deliver(Data{id, Filled(input_.Size()), input_.Byte() % 2 == 0, false});
    }
  }

  void FromPeer() {
    const uint64_t next = channel_.last_received_id() + 1;
    switch (input_.Byte() % 4) {
      case 0: {
        if (!channel_.WantsMessages()) return;  // a legacy peer is not read
        const uint8_t flags = input_.Byte();
        const uint64_t id = input_.Id(next);
        Deliver(Data{id, Filled(input_.Size()), (flags & 1) != 0, (flags & 2) != 0});
        break;
      }
      case 1: {
        const uint64_t id = input_.Id(last_sent_);
        Deliver(Ack{id, input_.Window()});
        break;
      }
      case 2:
        Deliver(Close{input_.Id(next)});
        break;
      default: {
        const uint64_t id = input_.Id(next);
        Deliver(Error{id, std::string(input_.Number(2) % 1000, '\x80'),
                      ErrorCodeFromNumber(input_.Byte())});
      }
    }
  }

  void Deliver(Message message) {
    const uint32_t attempt =
        input_.Byte() < 8 ? static_cast<uint32_t>(input_.Byte()) : channel_.attempt();
    const bool attached = channel_.attached();
    const Channel::PathVerdict verdict = channel_.OnMessage(attempt, std::move(message), now_);
    if (verdict == Channel::PathVerdict::kBreakPath) {
      CULVERT_CHECK(attached);
      channel_.Detach();
    }
  }

  void ToPeer() {
    const std::optional<Message> message = channel_.NextMessage(now_);
    if (!message) return;
    if (const auto* ack = std::get_if<Ack>(&*message)) {
      // A legacy peer that is held is sent the last ack again, which may be none.
      CULVERT_CHECK(ack->id != 0 || channel_.legacy());
      CULVERT_CHECK(ack->id <= channel_.last_received_id());
      CULVERT_CHECK(!channel_.legacy() || !ack->window);
      return;
    }
    last_sent_ = std::visit([](const auto& any) { return any.id; }, *message);
    if (const auto* data = std::get_if<Data>(&*message)) {
      CULVERT_CHECK(data->bytes.size() <= kMaxDataBytes);
      CULVERT_CHECK(!channel_.legacy() || !data->end_of_stream);
    }
  }

  void Send() {
    const size_t room = channel_.SendRoom();
    const size_t size = input_.Byte() % 2 == 0 ? room : std::min(room, input_.Size());
    channel_.Send(Filled(size));
  }

  void Local() {
    switch (input_.Byte() % 16) {
      case 0:
        channel_.Abort(ErrorCode::kReset, std::string(input_.Number(2) % 1000, 'x'));
        break;
      case 1:
        channel_.OnPeerEnded(ErrorCodeFromNumber(input_.Byte()), input_.Id(last_sent_));
        break;
      case 2:
        channel_.GiveUp(ErrorCode::kPathLost, "");
        break;
      case 3:
      case 4:
        channel_.Finish();
        break;
      case 5:
        other_.emplace(budget_);
        other_->SetUsed(input_.Number(3));
        break;
      case 6:
        other_.reset();
        break;
      default:
        channel_.FinishSending();
    }
  }

  void Check() {
    const uint64_t others = other_ ? other_->used() : 0;
    CULVERT_CHECK(budget_.used() == channel_.held() + others);
    CULVERT_CHECK(channel_.held() == channel_.unacknowledged() + channel_.receive_held());
    const uint64_t one = CostOf(channel_.legacy() ? kMaxLegacyDataBytes : kMaxDataBytes);
    granted_ = std::max(granted_, channel_.receive_window());
    CULVERT_CHECK(channel_.receive_held() <= (channel_.legacy() ? 0 : granted_) + one);
    CULVERT_CHECK(granted_ <= std::max(first_window_, ReceiveWindow::kMaxWindow));
    if (!channel_.attached()) CULVERT_CHECK(channel_.SendRoom() == 0 && !channel_.deadline());
    if (!ended_) {
      ended_ = channel_.state() == Channel::State::kEnded;
      if (ended_) outcome_ = channel_.outcome().ToString();
      return;
    }
    CULVERT_CHECK(channel_.state() == Channel::State::kEnded);
    CULVERT_CHECK(channel_.outcome().ToString() == outcome_);
    CULVERT_CHECK(channel_.held() == 0 && !channel_.attached() && !channel_.suspended());
    CULVERT_CHECK(!channel_.NextMessage(now_) && !channel_.NextDelivery(now_));
  }

  Input& input_;
  MonotonicTime now_{};
  MemoryBudget budget_;
  Channel channel_;
  std::optional<MemoryBudget::Member> other_;
  const uint64_t first_window_ = channel_.receive_window();
  uint64_t granted_ = first_window_;
  uint64_t last_sent_ = 0;
  bool ended_ = false;
  std::string outcome_;
};

}  // namespace
}  // namespace culvert::tunnel

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  culvert::SetLogLevel(culvert::LogLevel::kOff);
  culvert::tunnel::Input input(data, size);
  culvert::tunnel::Driver(input).Run();
  return 0;
}
