#include "tests/support/channel_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace culvert::tunnel::testing {
namespace {

constexpr int kMaxSteps = 400'000;
constexpr size_t kPathDepth = 8;  // messages in flight each way
constexpr uint64_t kChannelId = ChannelSimulation::kChannelId;

Channel::Options OptionsFor(const ChannelSimulation::Config& config) {
  const uint64_t window = uint64_t{4096} << (config.seed % 7);
  Channel::Options options;
  options.id = kChannelId;
  options.peer_capabilities = config.legacy ? 0 : kOwnCapabilities;
  options.peer_window = window;
  options.own_window = window;
  return options;
}

std::string RandomText(std::mt19937_64& random, size_t size) {
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

}  // namespace

ChannelSimulation::ChannelSimulation(const Config& config)
    : config_(config),
      random_(config.seed),
      consumer_(OptionsFor(config), config.memory_limit),
      provider_(OptionsFor(config), config.memory_limit),
      fault_percent_(config.with_faults ? static_cast<int>(config.seed % 5) : 0) {
  // Small, empty and large transfers; sizes skewed so that most seeds are quick.
  for (SimulatedEnd* end : {&consumer_, &provider_}) {
    const size_t limit = Chance(10) ? config.max_bytes : Chance(30) ? 0 : config.max_bytes / 20;
    end->input = RandomText(random_, limit == 0 ? 0 : Pick(limit + 1));
  }
}

ChannelSimulation::~ChannelSimulation() = default;

void ChannelSimulation::Run() {
  path_.attempt = 1;
  const uint64_t window = provider_.channel->window();
  if (!provider_.channel->Attach(1, 0, window, now_).ok()) Fail("first attach of the provider");
  if (!consumer_.channel->Attach(1, 0, window, now_).ok()) Fail("first attach of the consumer");
  for (; steps_ < kMaxSteps; ++steps_) {
    if (consumer_.outcome && provider_.outcome) {
      CheckResult();
      return;
    }
    Step();
  }
  Fail(fmt::format("no end after {} steps: consumer {} {}/{} provider {} {}/{}", kMaxSteps,
                   StateName(consumer_.channel->state()), consumer_.written, consumer_.input.size(),
                   StateName(provider_.channel->state()), provider_.written,
                   provider_.input.size()));
}

void ChannelSimulation::Step() {
  now_ += std::chrono::microseconds(Pick(3000));
  if (steps_ == config_.cut_at_step) CutPath();
  AdvanceSide(Chance(50) ? Side::kConsumer : Side::kProvider);
  if (fault_percent_ > 0 && Pick(1000) < static_cast<size_t>(fault_percent_)) InjectFault();
  if (config_.with_faults && Chance(2)) DeliverLate();
  if (!path_.alive || !consumer_.channel->attached()) {
    if (Chance(20)) Reconnect();
  }
  NoteEnd(consumer_);
  NoteEnd(provider_);
}

void ChannelSimulation::AdvanceSide(Side side) {
  SimulatedEnd& here = end(side);
  switch (Pick(5)) {
    case 0:
      Write(here);
      break;
    case 1:
      Deliver(here);
      break;
    case 2:
    case 3:
      HandOver(side);
      break;
    default:
      Arrive(side);
      break;
  }
  if (config_.with_aborts && config_.seed % 4 == 0) MaybeAbort(here);
  if (config_.with_neighbours && Chance(2)) ChangeNeighbours(here);
  CheckMemory(here);
}

void ChannelSimulation::Write(SimulatedEnd& here) {
  Channel& channel = *here.channel;
  if (here.written == here.input.size()) EndWriting(here);
  if (channel.finished_sending()) return;
  const size_t room = std::min(channel.SendRoom(), here.input.size() - here.written);
  if (room == 0) return;
  const size_t size = Chance(50) ? room : 1 + Pick(std::min<size_t>(room, 2000));
  channel.Send(Bytes::Copy(std::string_view(here.input).substr(here.written, size)));
  here.written += size;
  const uint64_t most = std::max(here.Share(), CostOf(SendWindow::kEmptyWindowRoom));
  if (!channel.legacy() && channel.unacknowledged() > most) Fail("more sent than its share");
}

void ChannelSimulation::EndWriting(SimulatedEnd& here) {
  here.channel->FinishSending();
  // Without half-close somebody has to be the first to close.
  if ((config_.legacy || config_.with_finish) && Chance(5)) {
    here.channel->Finish();
    here.gone = true;
  }
}

void ChannelSimulation::ChangeNeighbours(SimulatedEnd& here) {
  auto& neighbours = here.neighbours;
  if (neighbours.size() < 8 && Chance(50)) {
    neighbours.push_back(std::make_unique<MemoryBudget::Member>(here.budget));
    neighbours.back()->SetUsed(Pick(config_.memory_limit / 4));
  } else if (!neighbours.empty()) {
    neighbours.erase(neighbours.begin() + static_cast<std::ptrdiff_t>(Pick(neighbours.size())));
  }
}

void ChannelSimulation::Deliver(SimulatedEnd& here) {
  if (here.delivering) {
    here.channel->Delivered(now_);
    here.delivering = false;
    return;
  }
  if (std::optional<Channel::Delivery> delivery = here.channel->NextDelivery(now_)) {
    if (here.saw_end) Fail("a delivery after the end");
    here.output += delivery->bytes.view();
    here.saw_end = delivery->end;
    here.delivering = true;
  }
}

void ChannelSimulation::HandOver(Side side) {
  SimulatedEnd& here = end(side);
  if (!here.channel->attached() || here.channel->attempt() != path_.attempt) return;
  if (Outbox(side).size() >= kPathDepth) return;
  if (std::optional<Message> message = here.channel->NextMessage(now_)) {
    if (const std::string wrong = here.wire.OnSent(*message); !wrong.empty()) Fail(wrong);
    if (path_.alive) Outbox(side).push_back(std::move(*message));
  }
}

void ChannelSimulation::Arrive(Side side) {
  SimulatedEnd& here = end(side);
  std::deque<Carried>& inbox = Inbox(side);
  if (inbox.empty() || !path_.alive || !here.channel->WantsMessages()) return;
  const Carried carried = inbox.front();
  inbox.pop_front();
  if (const auto* response = std::get_if<ResumeResponse>(&carried)) {
    (void)here.channel->Attach(path_.attempt, response->last_id, response->window, now_);
    here.wire.OnNewPath(response->last_id);
    return;
  }
  const Message& message = std::get<Message>(carried);
  ArriveMessage(here, message);
  if (config_.with_faults && Chance(3)) ArriveMessage(here, message);  // duplicated
}

void ChannelSimulation::ArriveMessage(SimulatedEnd& here, const Message& message) {
  if (here.channel->OnMessage(path_.attempt, message, now_) == Channel::PathVerdict::kBreakPath)
    CutPath();
}

void ChannelSimulation::InjectFault() {
  if (!path_.alive) return;
  switch (Pick(4)) {
    case 0:
      if (!path_.to_consumer.empty() &&
          std::holds_alternative<Message>(path_.to_consumer.front())) {
        path_.to_consumer.pop_front();  // one message is lost: the next one shows the gap …
        if (path_.to_consumer.empty()) CutPath();  // … or nothing follows, and silence does
        break;
      }
      [[fallthrough]];
    case 1:
      if (!path_.to_provider.empty()) {
        path_.to_provider.pop_front();
        if (path_.to_provider.empty()) CutPath();
        break;
      }
      [[fallthrough]];
    default:
      CutPath();
  }
}

void ChannelSimulation::CutPath() {
  if (!path_.alive) return;
  ++paths_lost_;
  path_.alive = false;
  old_paths_.push_back(path_);
  if (old_paths_.size() > 4) old_paths_.erase(old_paths_.begin());
  consumer_.channel->Detach();
  // The other half may notice later, or only when a resume arrives.
  if (Chance(50)) provider_.channel->Detach();
}

void ChannelSimulation::DeliverLate() {
  if (old_paths_.empty()) return;
  SimulatedPath& old = old_paths_[Pick(old_paths_.size())];
  for (Side side : {Side::kConsumer, Side::kProvider}) {
    auto& queue = side == Side::kConsumer ? old.to_consumer : old.to_provider;
    if (queue.empty() || !end(side).channel->WantsMessages()) continue;
    const Carried carried = queue.front();
    queue.pop_front();
    // A provider that has not noticed the loss still takes what its old path brings: that is in
    // order.
    const auto* message = std::get_if<Message>(&carried);
    if (message == nullptr) continue;
    if (end(side).channel->OnMessage(old.attempt, *message, now_) ==
        Channel::PathVerdict::kBreakPath) {
      end(side).channel->Detach();
    }
  }
}

void ChannelSimulation::Reconnect() {
  NoteEnd(consumer_);
  NoteEnd(provider_);
  if (consumer_.outcome) {
    // Nobody drives the resume any more: the provider gives up at its resume_timeout.
    if (!provider_.outcome) {
      provider_.channel->Detach();
      if (provider_.channel->suspended()) provider_.channel->OnPeerEnded(ErrorCode::kTimeout, 0);
    }
    return;
  }
  CutPath();
  if (!consumer_.channel->suspended()) return;  // has ended, or only has to deliver
  path_ = SimulatedPath{};
  path_.attempt = std::max(consumer_.channel->attempt(), old_paths_.back().attempt) + 1;
  AnswerResume();
}

void ChannelSimulation::AnswerResume() {
  if (provider_.outcome) {
    const auto tombstone = provider_.tombstones.Find(kChannelId, now_);
    if (!tombstone) Fail("no tombstone");
    consumer_.channel->OnPeerEnded(tombstone->AnswerCode(), tombstone->last_id);
    return;
  }
  Channel& provider = *provider_.channel;
  // Detaching comes first: only then is the last id final.
  const absl::Status attached = provider.Attach(
      path_.attempt, consumer_.channel->last_received_id(), consumer_.channel->window(), now_);
  provider_.wire.OnNewPath(consumer_.channel->last_received_id());
  NoteEnd(provider_);
  if (provider_.outcome) {
    AnswerResume();
    return;
  }
  if (!attached.ok()) Fail(std::string(attached.message()));
  path_.to_consumer.push_back(ResumeResponse{provider.last_received_id(), provider.window()});
}

void ChannelSimulation::MaybeAbort(SimulatedEnd& here) {
  // A local socket that has seen both ends of its connection, or is closed, cannot be reset any
  // more.
  const bool saw_both = here.channel->finished_sending() && here.saw_end && !here.delivering;
  const bool complete = saw_both || here.gone;
  if (!complete && Pick(3000) == 0) here.channel->Abort(ErrorCode::kReset, "reset by the test");
}

std::deque<Carried>& ChannelSimulation::Inbox(Side side) {
  return side == Side::kConsumer ? path_.to_consumer : path_.to_provider;
}

std::deque<Carried>& ChannelSimulation::Outbox(Side side) {
  return side == Side::kConsumer ? path_.to_provider : path_.to_consumer;
}

bool ChannelSimulation::Chance(int percent) { return Pick(100) < static_cast<size_t>(percent); }

size_t ChannelSimulation::Pick(size_t below) { return below == 0 ? 0 : random_() % below; }

void ChannelSimulation::Fail(const std::string& what) const {
  const std::string cut =
      config_.cut_at_step < 0 ? "" : fmt::format(" cut at step {}", config_.cut_at_step);
  throw std::runtime_error(fmt::format("seed {}{}: {}", config_.seed, cut, what));
}

}  // namespace culvert::tunnel::testing
