#include "broker/waiting_calls.h"

#include <string>
#include <utility>

#include "base/status.h"

namespace culvert::broker {

class WaitingCalls::Call final : private rpc::Stream::Delegate {
 public:
  Call(WaitingCalls& owner, uint64_t id, Asked asked, SlotCounter::Slot slot)
      : owner_(owner), id_(id), asked_(std::move(asked)), slot_(std::move(slot)) {
    owner_.bytes_ += asked_.bytes;
  }
  ~Call() { owner_.bytes_ -= asked_.bytes; }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  void Take(std::unique_ptr<rpc::Stream> stream) {
    stream_ = std::move(stream);
    stream_->SetDelegate(this);
  }
  WorkerClient client() const { return alive_; }
  absl::Status MayGoOn() const { return asked_.may_go_on(); }
  void Finish(const absl::StatusOr<rpc::Frame>& answer) {
    if (answer.ok()) stream_->Write(*answer);
    stream_->Finish(answer.status());
  }

 private:
  void OnMessage(Bytes) override {}
  void OnWritten() override {}
  void OnEnd(absl::Status) override { owner_.calls_.erase(id_); }  // and this

  WaitingCalls& owner_;
  const uint64_t id_;
  const Asked asked_;
  const SlotCounter::Slot slot_;
  const std::shared_ptr<void> alive_ = std::make_shared<char>();
  std::unique_ptr<rpc::Stream> stream_;
};

WaitingCalls::WaitingCalls() = default;
WaitingCalls::~WaitingCalls() = default;

absl::StatusOr<uint64_t> WaitingCalls::Add(Asked asked, TakeStream take) {
  if (bytes_ + asked.bytes > kMostBytes) {
    return absl::ResourceExhaustedError("the requests that wait are too large: try again later");
  }
  CULVERT_ASSIGN_OR_RETURN(SlotCounter::Slot slot, of_one_.Take(asked.who));
  const uint64_t id = ++last_;
  auto call = std::make_unique<Call>(*this, id, std::move(asked), std::move(slot));
  call->Take(take());
  calls_.emplace(id, std::move(call));
  return id;
}

WorkerClient WaitingCalls::Client(uint64_t call) const {
  const auto found = calls_.find(call);
  return found == calls_.end() ? WorkerClient() : found->second->client();
}

void WaitingCalls::Finish(uint64_t call, const absl::StatusOr<rpc::Frame>& answer) {
  const auto found = calls_.find(call);
  if (found == calls_.end()) return;
  found->second->Finish(answer);
  calls_.erase(found);
}

void WaitingCalls::CheckPermissions() {
  for (auto next = calls_.begin(); next != calls_.end();) {
    const absl::Status may = next->second->MayGoOn();
    if (may.ok()) {
      ++next;
      continue;
    }
    next->second->Finish(absl::PermissionDeniedError(std::string(MessageOf(may))));
    next = calls_.erase(next);
  }
}

}  // namespace culvert::broker
