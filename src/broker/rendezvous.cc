#include "broker/rendezvous.h"

#include <utility>

#include "base/check.h"
#include "broker/watch_host.h"
#include "crypto/digest.h"
#include "crypto/random.h"

namespace culvert::broker {

Rendezvous::Rendezvous(net::EventLoop& loop, const Limits& limits, OnPair on_pair)
    : loop_(loop), limits_(limits), on_pair_(std::move(on_pair)), expiry_(loop) {}

size_t Rendezvous::CountOf(const std::string& owner) const {
  const auto found = per_owner_.find(owner);
  return found == per_owner_.end() ? 0 : found->second;
}

std::optional<Rendezvous::Tokens> Rendezvous::Make(RawRequest request) {
  loop_.AssertOnThread();
  const std::string owner = request.owner();
  if (CountOf(owner) >= limits_.per_owner || count_ >= limits_.most) return std::nullopt;
  const auto meeting = meetings_.emplace(meetings_.end());
  meeting->request = std::move(request);
  meeting->until = loop_.Now() + limits_.lifetime;
  Tokens tokens;
  for (const size_t side : {size_t{0}, size_t{1}}) {
    tokens[side] = crypto::RandomBytes(kTokenBytes);
    meeting->sides[side].digest = crypto::Sha256(tokens[side]);
    by_digest_.emplace(meeting->sides[side].digest, Place{meeting, side});
  }
  ++count_;
  ++per_owner_[owner];
  ExpireLater();
  return tokens;
}

Rendezvous::Result Rendezvous::Present(std::string_view token, net::UniqueFd& socket) {
  loop_.AssertOnThread();
  const auto found = by_digest_.find(crypto::Sha256(token));
  if (found == by_digest_.end()) return Result::kUnknown;
  const Place place = found->second;
  by_digest_.erase(found);
  Side& side = place.meeting->sides[place.side];
  side.digest.clear();
  side.socket = std::move(socket);
  WatchHost(side.socket.get());
  if (place.meeting->sides[1 - place.side].socket.is_open()) {
    Complete(place.meeting);
  } else {
    Wait(place);
  }
  return Result::kTaken;
}

void Rendezvous::Wait(Place place) {
  loop_.AssertOnThread();
  Side& side = place.meeting->sides[place.side];
  side.poll.emplace(loop_, [this, meeting = place.meeting](unsigned) {
    GiveUp(meeting, absl::AbortedError("the side that came was reset before the other came"));
  });
  if (side.poll->Open(side.socket.get()).ok()) {
    side.poll->Watch(net::FdPoll::kBroken);
  } else {
    GiveUp(place.meeting, absl::UnavailableError("its connection cannot be watched"));
  }
}

void Rendezvous::Complete(Meetings::iterator meeting) {
  loop_.AssertOnThread();
  std::array<net::UniqueFd, 2> sockets;
  for (const size_t side : {size_t{0}, size_t{1}}) {
    meeting->sides[side].poll.reset();
    sockets[side] = std::move(meeting->sides[side].socket);
  }
  RawRequest request = meeting->request;
  Erase(meeting);
  on_pair_(std::move(request), std::move(sockets[0]), std::move(sockets[1]));
}

void Rendezvous::Erase(Meetings::iterator meeting) {
  loop_.AssertOnThread();
  for (const Side& side : meeting->sides) by_digest_.erase(side.digest);
  const auto count = per_owner_.find(meeting->request.owner());
  CULVERT_CHECK(count != per_owner_.end());
  if (--count->second == 0) per_owner_.erase(count);
  meetings_.erase(meeting);
  --count_;
}

void Rendezvous::GiveUp(Meetings::iterator meeting, const absl::Status& why) {
  loop_.AssertOnThread();
  const RawRequest request = meeting->request;
  Erase(meeting);
  if (on_unmet_) on_unmet_(request, why);
}

void Rendezvous::EndIf(absl::FunctionRef<absl::Status(const RawRequest&)> may) {
  loop_.AssertOnThread();
  for (auto it = meetings_.begin(); it != meetings_.end();) {
    const auto meeting = it++;
    const absl::Status allowed = may(meeting->request);
    if (!allowed.ok()) GiveUp(meeting, allowed);
  }
}

void Rendezvous::ExpireLater() {
  loop_.AssertOnThread();
  if (meetings_.empty() || expiry_.is_set()) return;
  expiry_.Start(meetings_.front().until - loop_.Now(), [this] { Expire(); });
}

void Rendezvous::Expire() {
  loop_.AssertOnThread();
  while (!meetings_.empty() && meetings_.front().until <= loop_.Now()) {
    GiveUp(meetings_.begin(), absl::DeadlineExceededError("the two did not come in time"));
  }
  ExpireLater();
}

}  // namespace culvert::broker
