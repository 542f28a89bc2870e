#include "sdk/pending_stitch.h"

#include <utility>

#include "base/check.h"
#include "tunnel/message.h"

namespace culvert {
namespace {

using stitch::HelloRole;

HelloRole Other(HelloRole role) {
  return role == HelloRole::kConsumer ? HelloRole::kProvider : HelloRole::kConsumer;
}

culvert::v1::StitchHello HelloOf(const PendingStitch::Meeting& meeting) {
  culvert::v1::StitchHello hello;
  hello.set_channel_id(meeting.channel_id);
  hello.set_attempt(meeting.attempt);
  hello.set_last_message_id(meeting.last_id);
  hello.set_window(meeting.window);
  hello.set_resume_timeout_s(meeting.resume_timeout_s);
  hello.set_caps(tunnel::kOwnCapabilities);
  if (meeting.key != nullptr) hello.set_mac(HelloMac(*meeting.key, meeting.own_role, hello));
  return hello;
}

stitch::StitchPath::Times TimesWith(Duration hello) {
  stitch::StitchPath::Times times;
  times.hello = hello;
  return times;
}

}  // namespace

PendingStitch::PendingStitch(net::EventLoop& loop, std::unique_ptr<net::TcpStream> stream,
                             const Meeting& meeting, Duration limit, OnDone on_done)
    : meeting_(meeting),
      path_(std::make_unique<stitch::StitchPath>(
          loop, std::move(stream), HelloOf(meeting),
          static_cast<stitch::StitchPath::HelloListener&>(*this),
          static_cast<tunnel::Path::Delegate&>(*this), TimesWith(limit), meeting.early)),
      on_done_(std::move(on_done)) {}

void PendingStitch::Name(uint64_t channel_id, Duration limit) {
  CULVERT_CHECK(!is_named() && channel_id != 0);
  meeting_.channel_id = channel_id;
  if (path_ == nullptr) {
    std::exchange(on_done_, nullptr)(std::move(ended_));
  } else if (!heard_) {
    path_->AwaitHello(limit);
  } else if (absl::Status good = Check(*heard_); !good.ok()) {
    path_.reset();
    std::exchange(on_done_, nullptr)(std::move(good));
  } else {
    Finish(*heard_);
  }
}

absl::Status PendingStitch::OnHello(const culvert::v1::StitchHello& hello) {
  if (!is_named()) {
    heard_ = hello;
    return absl::OkStatus();
  }
  if (absl::Status good = Check(hello); !good.ok()) return good;  // OnPathEnd follows
  Finish(hello);
  return absl::OkStatus();
}

void PendingStitch::Finish(const culvert::v1::StitchHello& hello) {
  Joined joined{std::move(path_), hello.last_message_id(), hello.window(),
                hello.resume_timeout_s()};
  std::exchange(on_done_, nullptr)(std::move(joined));
}

// A consumer that opens a channel says Hello before it has heard the channel's id.
bool PendingStitch::NamesChannel(const culvert::v1::StitchHello& hello) const {
  if (hello.channel_id() == meeting_.channel_id) return true;
  return hello.channel_id() == 0 && meeting_.own_role == HelloRole::kProvider &&
         meeting_.attempt == 1 && meeting_.key == nullptr && hello.last_message_id() == 0;
}

absl::Status PendingStitch::Check(const culvert::v1::StitchHello& hello) const {
  if (!NamesChannel(hello) || hello.attempt() != meeting_.attempt) {
    return absl::DataLossError("the other end speaks of another channel");
  }
  if (meeting_.key == nullptr) return absl::OkStatus();
  if (HasHelloMac(*meeting_.key, Other(meeting_.own_role), hello)) return absl::OkStatus();
  return absl::DataLossError("the other end has not the key of the channel");
}

void PendingStitch::OnPathEnd(absl::Status why) {
  path_.reset();
  if (why.ok()) why = absl::UnavailableError("the other end has left");
  if (!is_named()) {
    ended_ = std::move(why);
    return;
  }
  std::exchange(on_done_, nullptr)(std::move(why));
}

}  // namespace culvert
