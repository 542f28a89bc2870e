#include "sdk/identity_keeper.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "sdk/opening.h"
#include "sdk/pending_key.h"

namespace culvert {
namespace {

using crypto::WallTime;

constexpr Duration kCallLimit = std::chrono::seconds(10);
// libuv's clock stands still while a machine sleeps, and the wall clock may be set: look again.
constexpr Duration kLongestWait = std::chrono::hours(1);
constexpr Duration kShortestRetry = std::chrono::seconds(1);
constexpr Duration kLongestRetry = std::chrono::minutes(30);
constexpr Duration kRenewOnDemandInterval = std::chrono::minutes(1);
constexpr int kRetriesInWhatIsLeft = 20;
// For an identity that another login has put in the place of one.
constexpr Duration kLookAgain = std::chrono::seconds(30);

Duration Until(WallTime time) {
  return std::chrono::duration_cast<Duration>(time - std::chrono::system_clock::now());
}

Duration RetryAfter(const crypto::Identity& identity) {
  const Duration left = Until(identity.certificate.not_after());
  return std::clamp(left / kRetriesInWhatIsLeft, kShortestRetry, kLongestRetry);
}

}  // namespace

// What a thread found before a call.
struct IdentityKeeper::Step {
  std::optional<crypto::Identity> successor;
  absl::StatusOr<crypto::PrivateKey> next_key = absl::InternalError("not looked for");
};

IdentityKeeper::IdentityKeeper(net::EventLoop& loop, BrokerList& brokers, crypto::Identity identity,
                               std::string state_dir, KeyChoice keys, OnRenewed on_renewed)
    : loop_(loop),
      brokers_(brokers),
      identity_(std::make_shared<const crypto::Identity>(std::move(identity))),
      state_dir_(std::move(state_dir)),
      keys_(keys),
      on_renewed_(std::move(on_renewed)),
      timer_(loop) {
  PlanNext();
}

IdentityKeeper::~IdentityKeeper() = default;

void IdentityKeeper::PlanNext() { Plan(Until(crypto::RenewAt(identity_->certificate))); }

void IdentityKeeper::Plan(Duration wait) {
  const Duration next = std::clamp(wait, Duration::zero(), kLongestWait);
  timer_.Start(next, [this, due = wait <= kLongestWait] {
    if (due) {
      Prepare();
    } else {
      PlanNext();
    }
  });
}

void IdentityKeeper::Work(absl::AnyInvocable<void() &&> job, absl::AnyInvocable<void() &&> done) {
  if (work_) take_up_ = true;  // only TakeUp's can be there
  work_.emplace(loop_, std::move(job), [this, done = std::move(done)]() mutable {
    work_.reset();
    std::move(done)();
    if (!work_ && std::exchange(take_up_, false)) TakeUp();
  });
}

void IdentityKeeper::TakeUp() {
  if (work_) {
    take_up_ = true;
    return;
  }
  auto found = std::make_shared<std::optional<crypto::Identity>>();
  Work([identity = identity_, dir = state_dir_,
        found] { *found = FindSuccessor(dir, *identity, WallNow()); },
       [this, found] {
         if (*found) Use(*std::move(*found));
       });
}

void IdentityKeeper::RenewNow() {
  const MonotonicTime now = loop_.Now();
  if (asked_to_renew_ && now - *asked_to_renew_ < kRenewOnDemandInterval) return;
  asked_to_renew_ = now;
  if (!call_ && !work_ && !given_up_) Plan(Duration::zero());
}

void IdentityKeeper::Prepare() {
  if (work_) {  // of TakeUp, which may bring what is wanted
    Plan(kShortestRetry);
    return;
  }
  auto step = std::make_shared<Step>();
  Work(
      [identity = identity_, dir = state_dir_, keys = keys_, step] {
        step->successor = FindSuccessor(dir, *identity, WallNow());
        if (!step->successor) step->next_key = NextKey(*identity, dir, keys);
      },
      [this, step] {
        if (step->successor) {
          Use(*std::move(step->successor));
        } else if (step->next_key.ok()) {
          next_key_ = *std::move(step->next_key);
          Call();
        } else {
          Retry(step->next_key.status());
        }
      });
}

void IdentityKeeper::Call() {
  attempt_ = brokers_.Current(attempt_);
  call_.emplace(loop_, brokers_.ForAttempt(attempt_), rpc::Method::kRenew,
                RenewRequestFrame(*identity_, *next_key_, WallNow()), kCallLimit,
                [this](const absl::StatusOr<Bytes>& answer) { HandleAnswer(answer); });
}

void IdentityKeeper::HandleAnswer(const absl::StatusOr<Bytes>& answer) {
  call_.reset();
  const crypto::PrivateKey next = *std::exchange(next_key_, std::nullopt);
  if (!answer.ok() && !(next.public_key() == identity_->key.public_key())) {
    Work([dir = state_dir_, key = next.public_key(),
          why = answer.status()] { ForgetIfRefused(dir, key, why); },
         [] {});
  }
  if (absl::IsFailedPrecondition(answer.status())) {
    GiveUp(answer.status());
    return;
  }
  if (!answer.ok()) {
    Retry(ExplainStreamEnd(answer.status(), brokers_.AddressForAttempt(attempt_)));
    return;
  }
  absl::StatusOr<std::optional<crypto::Identity>> renewed = ReadRenewed(*answer, *identity_, next);
  if (!renewed.ok()) {
    Retry(renewed.status());
  } else if (*renewed) {
    Save(**std::move(renewed));
  } else {
    AskAgain();
  }
}

void IdentityKeeper::Save(crypto::Identity renewed) {
  auto ours = std::make_shared<const crypto::Identity>(std::move(renewed));
  auto kept = std::make_shared<absl::StatusOr<crypto::Identity>>(absl::InternalError("not saved"));
  Work([present = identity_, ours, dir = state_dir_,
        kept] { *kept = KeepRenewed(dir, *present, *ours); },
       [this, ours, kept] { HandleSaved(*ours, *kept); });
}

void IdentityKeeper::HandleSaved(const crypto::Identity& renewed,
                                 const absl::StatusOr<crypto::Identity>& kept) {
  // It is used all the same: the next start may still have time to renew the old one.
  if (!kept.ok()) {
    CULVERT_LOG(kError, "renewed certificate not saved: {}", MessageOf(kept.status()));
  }
  Use(kept.ok() ? *kept : renewed);
}

void IdentityKeeper::Use(crypto::Identity identity) {
  call_.reset();  // one for the identity that was
  next_key_.reset();
  waits_for_signing_ = false;
  given_up_ = false;
  identity_ = std::make_shared<const crypto::Identity>(std::move(identity));
  PlanNext();
  on_renewed_(*identity_);
}

// The request waits where certificates are signed: the same one is asked for until it is there.
void IdentityKeeper::AskAgain() {
  if (!std::exchange(waits_for_signing_, true)) {
    CULVERT_LOG(kInfo, "the renewal of the certificate waits to be signed: culvert-broker ca sign");
  }
  Plan(RetryAfter(*identity_));
}

void IdentityKeeper::Retry(const absl::Status& why) {
  attempt_ = brokers_.After(attempt_);
  const Duration wait = RetryAfter(*identity_);
  const Duration left = Until(identity_->certificate.not_after());
  CULVERT_LOG(
      kWarning, "certificate not renewed, next try in {:.0f} s, {}: {}", ToSeconds(wait),
      left > Duration::zero() ? fmt::format("{:.0f} s left", ToSeconds(left)) : "it has expired",
      Printable(MessageOf(why)));
  Plan(wait);
}

// --- what came of a login ---

void IdentityKeeper::GiveUp(const absl::Status& why) {
  if (!std::exchange(given_up_, true)) {
    CULVERT_LOG(kWarning, "certificate not renewed, it ends at {}: {}",
                FormatTime(identity_->certificate.not_after()), Printable(MessageOf(why)));
  }
  LookAgain();
}

void IdentityKeeper::LookAgain() {
  timer_.Start(kLookAgain, [this] {
    LookAgain();
    TakeUp();
  });
}

}  // namespace culvert
