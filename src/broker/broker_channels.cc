// The Broker's side of channels as a whole: which there are, and what ends one for good.
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
  channel.since = now - std::chrono::duration_cast<WallTime::duration>(now_here - relay.started());
  channel.bytes_up = relay.bytes_sent();
  channel.bytes_down = relay.bytes_received();
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
  Relay* const relay = openings_.FindChannel(id);
  if (relay == nullptr || relay->state() == Relay::State::kEnded) return std::nullopt;
  LiveChannel channel = Describe(*relay, WallNow(), loop_.Now());
  CutForGood(*relay, ErrorStatus(ErrorCode::kKilled, "killed by an administrator"));
  return channel;
}

}  // namespace culvert::broker
