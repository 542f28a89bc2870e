// The Broker's side of what is here as a whole: which channels there are, who is attached, and how
// the broker ends.
#include <algorithm>
#include <tuple>
#include <utility>

#include "base/status.h"
#include "broker/broker.h"
#include "culvert/error_code.h"

namespace culvert::broker {
namespace {

LiveChannel Describe(const Relay& relay, WallTime now, MonotonicTime now_here) {
  const OpenChannel& open = relay.open();
  LiveChannel channel;
  channel.id = relay.id();
  channel.project = ProjectId(open.provider.project);
  channel.consumer = open.principal ? open.principal->ToString() : open.consumer;
  channel.address = relay.peer();
  channel.agent = open.provider.name;
  channel.service = open.service;
  channel.target = open.arg;
  channel.stitched = relay.is_stitched();
  const CarriedBytes carried = relay.carried();
  channel.since = now - std::chrono::duration_cast<WallTime::duration>(now_here - carried.since);
  channel.bytes_up = carried.sent;
  channel.bytes_down = carried.received;
  return channel;
}

bool IsOpen(const Relay& relay) {
  return relay.state() == Relay::State::kRelaying || relay.state() == Relay::State::kEnding;
}

}  // namespace

std::vector<LiveChannel> Broker::ListChannels(const std::string& project) const {
  loop_.AssertOnThread();
  std::vector<LiveChannel> channels;
  for (const auto& [relay, owned] : relays_) {
    if (channels.size() == LiveChannel::kMost) break;
    if (!IsOpen(*relay) || ProjectId(relay->open().provider.project) != project) continue;
    channels.push_back(Describe(*relay, WallNow(), loop_.Now()));
  }
  std::sort(channels.begin(), channels.end(), [](const LiveChannel& a, const LiveChannel& b) {
    return std::tie(a.since, a.id) < std::tie(b.since, b.id);
  });
  return channels;
}

std::optional<LiveChannel> Broker::KillChannel(uint64_t id) {
  loop_.AssertOnThread();
  quotas_.Forget(id);
  Relay* const relay = openings_.FindChannel(id);
  if (relay == nullptr || relay->state() == Relay::State::kEnded) return std::nullopt;
  LiveChannel channel = Describe(*relay, WallNow(), loop_.Now());
  CutForGood(*relay, ErrorStatus(ErrorCode::kKilled, "killed by an administrator"));
  return channel;
}

absl::Status Broker::BeginAttach(PendingStream& pending, const Bytes& message) {
  if (draining_) return ShuttingDown();
  CULVERT_ASSIGN_OR_RETURN(std::optional<Principal> who, Identify(pending));
  CULVERT_ASSIGN_OR_RETURN(AttachOpening opening, ParseAttachOpening(message, region_));
  if (who) {
    CULVERT_RETURN_IF_ERROR(access_.gate->MayAttach(*who, opening.project, opening.name));
  }
  opening.principal = std::move(who);
  const DataOwner process = broker::DataOwnerOf(opening);
  CULVERT_RETURN_IF_ERROR(attachments_.Add(std::move(opening), pending.info(),
                                           [&pending] { return pending.TakeStream(); }));
  // Whether its program is gone shows by this connection from now on.
  for (Relay* relay : openings_.StitchedBy(process)) {
    relay->ConsumerIsAt(pending.info().endpoint());
  }
  return absl::OkStatus();
}

std::vector<DrainNotices::Tell> Broker::WhomToTell() {
  using culvert::v1::Notice;
  std::vector<DrainNotices::Tell> whom;
  registry_.ForEach([&](const Session& session) {
    whom.emplace_back([this, id = session.id()](const Notice& notice) {
      if (Session* const here = registry_.FindById(id)) here->Notify(notice);
    });
  });
  attachments_.ForEach([&](const std::string& consumer, uint64_t incarnation) {
    whom.emplace_back([this, consumer, incarnation](const Notice& notice) {
      attachments_.Notify(consumer, incarnation, notice);
    });
  });
  for (const auto& [relay, owned] : relays_) {
    if (!IsOpen(*relay)) continue;
    whom.emplace_back([this, id = relay->id()](const Notice& notice) {
      if (Relay* const here = openings_.FindChannel(id)) here->Notify(notice);
    });
  }
  return whom;
}

void Broker::Drain(absl::AnyInvocable<void() &&> on_idle, Duration grace) {
  draining_ = true;
  departures_.Stop();
  on_idle_ = std::move(on_idle);
  for (auto& [relay, owned] : relays_) {
    // Its provider cannot come here any more. The consumer tries again, elsewhere.
    if (relay->state() == Relay::State::kWaiting) relay->Cut(ShuttingDown());
  }
  raw_.StopWaiting();
  if (access_.projects != nullptr) access_.projects->EndWatches(ShuttingDown());
  drain_notices_.Start(WhomToTell(), grace);
  sweep_.Schedule();
}

void Broker::EndAll() {
  draining_ = true;
  departures_.Stop();
  trail_.FlushGone();
  registry_.ForEach(
      [this](const Session& session) { trail_.Unregistered(session, ShuttingDown()); });
  registry_.EndAll(ShuttingDown());
  attachments_.EndAll(ShuttingDown());
  raw_.EndAll(ShuttingDown());
  if (access_.projects != nullptr) access_.projects->EndWatches(ShuttingDown());
  for (auto& [key, pending] : pending_) {
    if (auto stream = pending->TakeStream()) stream->Finish(ShuttingDown());
  }
  pending_.clear();
  for (auto& [relay, owned] : relays_) relay->Cut(ShuttingDown());
}

}  // namespace culvert::broker
