#include "culvert/consumer.h"

#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "culvert/error_code.h"
#include "net/deferred.h"
#include "net/timer.h"
#include "sdk/client_core.h"
#include "sdk/consumer_call.h"

namespace culvert {

// Lives on the loop.
class Consumer::Impl final : private ConsumerCall::Owner {
 public:
  explicit Impl(ClientCore& core)
      : core_(core),
        remove_done_(core.loop(), [this] { RemoveDone(); }),
        abort_timer_(core.loop()),
        cut_noted_(core.loop(), [this] { CutNoted(); }) {}

  ~Impl() {
    // Whoever leaves the queue starts the next: none of those that are about to go.
    for (const auto& [call, owned] : calls_) call->StopWaiting();
  }

  void Connect(Request request, std::unique_ptr<Outlet> outlet, OnEnd on_end) {
    auto call =
        std::make_unique<ConsumerCall>(core_, std::move(request), std::move(outlet),
                                       std::move(on_end), static_cast<ConsumerCall::Owner&>(*this));
    ConsumerCall& started = *call;
    if (calls_.empty()) Attach();
    calls_.emplace(&started, std::move(call));
    started.Start();
  }

  void Drain(absl::AnyInvocable<void() &&> done) {
    on_drained_ = std::move(done);
    remove_done_.Schedule();
  }

  void Abort(absl::AnyInvocable<void() &&> done) {
    Drain(std::move(done));
    for (const auto& [call, owned] : calls_) call->StopWaiting();
    const absl::Status why = ErrorStatus(ErrorCode::kShutdown, "program is ending");
    for (const auto& [call, owned] : calls_) call->Abort(why);
    abort_timer_.Start(ClientCore::kAbortTime, [this] {
      if (on_drained_) std::exchange(on_drained_, nullptr)();
    });
  }

  std::vector<ChannelStatus> Channels() const {
    std::vector<ChannelStatus> channels;
    for (const auto& [call, owned] : calls_) {
      if (std::optional<ChannelStatus> status = call->Status()) channels.push_back(*status);
    }
    return channels;
  }

 private:
  void OnCallDone(ConsumerCall& call) override {
    done_.push_back(&call);
    remove_done_.Schedule();
  }

  void RemoveDone() {
    const std::vector<ConsumerCall*> done = std::exchange(done_, {});
    for (ConsumerCall* call : done) calls_.erase(call);
    if (calls_.empty()) attached_.reset();
    if (calls_.empty() && !done.empty()) core_.ReturnFreeMemory();
    if (calls_.empty() && on_drained_) core_.loop().Post(std::exchange(on_drained_, nullptr));
  }

  void Attach() {
    attached_.emplace(
        core_.attachment(),
        Attachment::User::Callbacks{
            .on_drain =
                [this](size_t broker, uint64_t connection,
                       const culvert::v1::Notice::Drain& drain) {
                  for (const auto& [call, owned] : calls_) call->Drain(broker, connection, drain);
                },
            .on_cut = [this](uint64_t id, const absl::Status& why) { NoteCut(id, why); },
            .on_fresh_ticket =
                [this](size_t broker, uint64_t id, const std::string& ticket) {
                  NoteTicket(id, {broker, ticket});
                },
        });
  }

  // A broker that ends all channels says so of each: they are looked for together.
  void NoteCut(uint64_t channel_id, const absl::Status& why) {
    if (cuts_.size() >= calls_.size()) CutNoted();  // some are not ours
    cuts_.emplace(channel_id, why);
    cut_noted_.Schedule();
  }

  struct FreshTicket {
    size_t broker;
    std::string ticket;
  };

  void NoteTicket(uint64_t channel_id, FreshTicket fresh) {
    if (tickets_.size() >= calls_.size()) CutNoted();
    tickets_.insert_or_assign(channel_id, std::move(fresh));
    cut_noted_.Schedule();
  }

  void CutNoted() {
    const std::unordered_map<uint64_t, absl::Status> cuts = std::exchange(cuts_, {});
    const std::unordered_map<uint64_t, FreshTicket> tickets = std::exchange(tickets_, {});
    for (const auto& [call, owned] : calls_) {
      const auto fresh = tickets.find(call->channel_id());
      if (fresh != tickets.end()) call->TakeFreshTicket(fresh->second.broker, fresh->second.ticket);
      const auto found = cuts.find(call->channel_id());
      if (found != cuts.end()) call->Cut(found->second);
    }
  }

  ClientCore& core_;
  std::unordered_map<ConsumerCall*, std::unique_ptr<ConsumerCall>> calls_;
  std::vector<ConsumerCall*> done_;  // to remove in the next turn
  net::Deferred remove_done_;
  net::Timer abort_timer_;
  std::unordered_map<uint64_t, absl::Status> cuts_;    // by channel, to be looked for
  std::unordered_map<uint64_t, FreshTicket> tickets_;  // the same
  net::Deferred cut_noted_;
  std::optional<Attachment::User> attached_;  // while there are calls
  absl::AnyInvocable<void() &&> on_drained_;
};

Consumer::Consumer(Client& client) : client_(client) {
  client_.Run([this] { impl_ = std::make_shared<Impl>(client_.core()); });
}

Consumer::~Consumer() {
  client_.Run([this] { impl_.reset(); });
}

void Consumer::Connect(Request request, std::unique_ptr<Outlet> outlet, OnEnd on_end) {
  // On the loop thread the consumer may be destroyed before the task runs.
  client_.Post([alive = std::weak_ptr<Impl>(impl_), request = std::move(request),
                outlet = std::move(outlet), on_end = std::move(on_end)]() mutable {
    const std::shared_ptr<Impl> impl = alive.lock();
    if (impl != nullptr) impl->Connect(std::move(request), std::move(outlet), std::move(on_end));
  });
}

std::vector<ChannelStatus> Consumer::Channels() const {
  std::vector<ChannelStatus> channels;
  client_.Run([this, &channels] { channels = impl_->Channels(); });
  return channels;
}

void Consumer::Abort(absl::AnyInvocable<void() &&> done) {
  client_.Run([this, &done] { impl_->Abort(std::move(done)); });
}

void Consumer::Drain(absl::AnyInvocable<void() &&> done) {
  client_.Run([this, &done] { impl_->Drain(std::move(done)); });
}

}  // namespace culvert
