// What the simulation checks: memory on the way, and the end.
#include <fmt/format.h>

#include <algorithm>

#include "tests/support/channel_simulation.h"

namespace culvert::tunnel::testing {

uint64_t SimulatedEnd::Share() const {
  return std::max<uint64_t>(MemoryBudget::kMinShare, budget.limit() / (2 * budget.channels()));
}

uint64_t SimulatedEnd::HeldByNeighbours() const {
  uint64_t held = 0;
  for (const auto& neighbour : neighbours) held += neighbour->used();
  return held;
}

void ChannelSimulation::NoteEnd(SimulatedEnd& here) {
  if (here.outcome || here.channel->state() != Channel::State::kEnded) return;
  here.outcome = here.channel->outcome();
  here.reset = !here.outcome->clean;
  here.tombstones.Add(kChannelId,
                      {here.channel->last_received_id(), here.outcome->clean, here.outcome->code},
                      now_);
  if (here.channel->held() != 0 || here.budget.used() != here.HeldByNeighbours())
    Fail("memory held after the end");
  if (here.channel->NextMessage(now_) || here.channel->NextDelivery(now_))
    Fail("activity after the end");
}

void ChannelSimulation::CheckMemory(const SimulatedEnd& here) const {
  const Channel& channel = *here.channel;
  const uint64_t granted =
      channel.legacy() ? CostOf(kMaxDataBytes)
                       : std::max(channel.receive_window(), CostOf(SendWindow::kEmptyWindowRoom));
  if (channel.receive_held() > granted) Fail("more held than granted");
  if (channel.unacknowledged() > ReceiveWindow::kMaxWindow)
    Fail("more unacknowledged than a window");
  if (here.budget.used() != channel.held() + here.HeldByNeighbours())
    Fail("the budget does not know what is held");
  if (channel.outcome().code == ErrorCode::kProtocol)
    Fail("protocol error: " + channel.outcome().message);
}

void ChannelSimulation::CheckResult() const {
  const auto prefix = [](const std::string& whole, const std::string& part) {
    return whole.compare(0, part.size(), part) == 0;
  };
  if (!prefix(consumer_.input, provider_.output))
    Fail("provider read other bytes than were written");
  if (!prefix(provider_.input, consumer_.output))
    Fail("consumer read other bytes than were written");
  const auto check =
      config_.legacy ? &ChannelSimulation::CheckLegacy : &ChannelSimulation::CheckClean;
  (this->*check)(consumer_, provider_);
  (this->*check)(provider_, consumer_);
  const bool aborts = config_.with_aborts && config_.seed % 4 == 0;
  if (!config_.legacy && !aborts && !consumer_.outcome->clean)
    Fail("not clean though nobody aborted: " + consumer_.outcome->ToString());
}

void ChannelSimulation::CheckClean(const SimulatedEnd& here, const SimulatedEnd& there) const {
  if (!here.outcome->clean) return;
  if ((here.output != there.input && !here.gone) || (there.output != here.input && !there.gone))
    Fail("clean end without all bytes");
  if ((!here.saw_end && !here.gone) || (!there.saw_end && !there.gone))
    Fail("clean end without both ends of stream");
  // Who lost the last Ack may not know, but then its application has seen everything.
  const bool unconfirmed = there.outcome->code == ErrorCode::kTimeout;
  if (!there.outcome->clean && !unconfirmed) Fail("clean at one end, " + there.outcome->ToString());
}

// The end that was closed by the other has everything; the other does not wait to hear that.
void ChannelSimulation::CheckLegacy(const SimulatedEnd& here, const SimulatedEnd& there) const {
  if (here.saw_end && here.output != there.input) Fail("an end without all bytes");
  if (here.outcome->clean && !here.saw_end && !here.gone) Fail("clean end without a Close");
}

}  // namespace culvert::tunnel::testing
