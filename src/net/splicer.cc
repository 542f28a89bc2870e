#include "net/splicer.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace culvert::net {
namespace {

constexpr int kMostLoops = 4;

int LoopsFor(int wanted) {
  if (wanted > 0) return wanted;
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMostLoops);
}

}  // namespace

Splicer::Splicer(EventLoop& control, const Options& options, OnEnd on_end)
    : control_(control),
      on_end_(std::move(on_end)),
      inbox_(std::make_shared<Inbox>(Inbox{this})),
      pipes_(options.pipes) {}

absl::StatusOr<std::unique_ptr<Splicer>> Splicer::Start(EventLoop& control, const Options& options,
                                                        OnEnd on_end) {
  control.AssertOnThread();
  std::unique_ptr<Splicer> splicer(new Splicer(control, options, std::move(on_end)));
  for (int i = 0; i < LoopsFor(options.loops); ++i) {
    auto tell = [&control, inbox = splicer->inbox_](const SpliceEnd& end) {
      control.Post([inbox, end] {
        if (inbox->splicer != nullptr) inbox->splicer->HandleEnd(end);
      });
    };
    CULVERT_ASSIGN_OR_RETURN(std::unique_ptr<SpliceLoop> loop,
                             SpliceLoop::Start(splicer->pipes_, std::move(tell)));
    splicer->workers_.push_back(std::make_unique<Worker>(Worker{std::move(loop)}));
  }
  return splicer;
}

Splicer::~Splicer() {
  control_.AssertOnThread();
  inbox_->splicer = nullptr;
}

uint64_t Splicer::Join(UniqueFd one, UniqueFd other, std::shared_ptr<ByteRate> rate) {
  control_.AssertOnThread();
  const auto fewest =
      std::min_element(workers_.begin(), workers_.end(),
                       [](const auto& a, const auto& b) { return a->pairs < b->pairs; });
  Worker& worker = **fewest;
  auto counts = std::make_shared<SpliceCounts>();
  const uint64_t id = ++last_id_;
  pairs_.emplace(id, Joined{&worker, counts});
  ++worker.pairs;
  worker.loop->Add(id, {std::move(one), std::move(other)}, std::move(counts), std::move(rate));
  return id;
}

void Splicer::Cut(uint64_t id) {
  control_.AssertOnThread();
  const auto found = pairs_.find(id);
  if (found != pairs_.end()) found->second.worker->loop->Cut(id);
}

std::optional<std::array<uint64_t, 2>> Splicer::Moved(uint64_t id) const {
  control_.AssertOnThread();
  const auto found = pairs_.find(id);
  if (found == pairs_.end()) return std::nullopt;
  const SpliceCounts& counts = *found->second.counts;
  return std::array{counts.moved[0].load(std::memory_order_relaxed),
                    counts.moved[1].load(std::memory_order_relaxed)};
}

void Splicer::HandleEnd(const SpliceEnd& end) {
  control_.AssertOnThread();
  const auto found = pairs_.find(end.id);
  CULVERT_CHECK(found != pairs_.end());
  --found->second.worker->pairs;
  pairs_.erase(found);
  on_end_(end);
}

}  // namespace culvert::net
