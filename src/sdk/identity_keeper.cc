#include "sdk/identity_keeper.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/certificate_request.h"
#include "culvert/v1/identity.pb.h"
#include "rpc/codec.h"
#include "sdk/opening.h"

namespace culvert {
namespace {

using crypto::WallTime;

constexpr Duration kCallLimit = std::chrono::seconds(10);
// libuv's clock stands still while a machine sleeps, and the wall clock may be set: look again.
constexpr Duration kLongestWait = std::chrono::hours(1);
constexpr Duration kShortestRetry = std::chrono::seconds(1);
constexpr Duration kLongestRetry = std::chrono::minutes(30);
constexpr int kRetriesInWhatIsLeft = 20;
// For an identity that another login has put in the place of one.
constexpr Duration kLookAgain = std::chrono::seconds(30);

Duration Until(WallTime time) {
  return std::chrono::duration_cast<Duration>(time - std::chrono::system_clock::now());
}

absl::StatusOr<crypto::Identity> ReadRenewed(const Bytes& answer, const crypto::Identity& present) {
  culvert::v1::CertificateResponse response;
  if (!response.ParseFromArray(answer.data(), static_cast<int>(answer.size()))) {
    return absl::InternalError("answer of the broker does not parse");
  }
  CULVERT_ASSIGN_OR_RETURN(crypto::Certificate certificate,
                           crypto::Certificate::FromPem(response.certificate()));
  // The authority that is trusted stays the one of the enrolment.
  CULVERT_RETURN_IF_ERROR(certificate.CheckIssuedBy(present.authority, crypto::Usage::kClient,
                                                    std::chrono::system_clock::now()));
  if (certificate.spiffe_id() != present.certificate.spiffe_id()) {
    return absl::InternalError("the broker has issued a certificate for somebody else");
  }
  return crypto::Identity::FromParts(present.key, std::move(certificate), present.authority);
}

}  // namespace

IdentityKeeper::IdentityKeeper(net::EventLoop& loop, BrokerList& brokers, crypto::Identity identity,
                               std::string state_dir, OnRenewed on_renewed)
    : loop_(loop),
      brokers_(brokers),
      identity_(std::make_shared<const crypto::Identity>(std::move(identity))),
      state_dir_(std::move(state_dir)),
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
      Renew();
    } else {
      PlanNext();
    }
  });
}

void IdentityKeeper::Renew() {
  culvert::v1::RenewRequest request;
  request.set_certificate_request(crypto::MakeCertificateRequest(identity_->key));
  call_.emplace(loop_, brokers_.ForAttempt(attempt_), rpc::Method::kRenew, rpc::FrameOf(request),
                kCallLimit, [this](const absl::StatusOr<Bytes>& answer) { HandleAnswer(answer); });
}

void IdentityKeeper::HandleAnswer(const absl::StatusOr<Bytes>& answer) {
  call_.reset();
  if (absl::IsFailedPrecondition(answer.status())) {
    GiveUp(answer.status());
    return;
  }
  if (!answer.ok()) {
    Retry(ExplainStreamEnd(answer.status(), brokers_.AddressForAttempt(attempt_)));
    return;
  }
  absl::StatusOr<crypto::Identity> renewed = ReadRenewed(*answer, *identity_);
  if (renewed.ok()) {
    Save(*std::move(renewed));
  } else {
    Retry(renewed.status());
  }
}

void IdentityKeeper::Save(crypto::Identity renewed) {
  identity_ = std::make_shared<const crypto::Identity>(std::move(renewed));
  auto saved = std::make_shared<absl::Status>();
  save_.emplace(
      loop_,
      [identity = identity_, dir = state_dir_, saved] {
        *saved = crypto::SaveIdentity(dir, *identity);
      },
      [this, saved] {
        save_.reset();
        // It is used all the same: the next start may still have time to renew the old one.
        if (!saved->ok())
          CULVERT_LOG(kError, "renewed certificate not saved: {}", MessageOf(*saved));
        on_renewed_(*identity_);
        PlanNext();
      });
}

void IdentityKeeper::Retry(const absl::Status& why) {
  ++attempt_;
  const Duration left = Until(identity_->certificate.not_after());
  const Duration wait = std::clamp(left / kRetriesInWhatIsLeft, kShortestRetry, kLongestRetry);
  CULVERT_LOG(
      kWarning, "certificate not renewed, next try in {:.0f} s, {}: {}", ToSeconds(wait),
      left > Duration::zero() ? fmt::format("{:.0f} s left", ToSeconds(left)) : "it has expired",
      Printable(MessageOf(why)));
  Plan(wait);
}

// --- what came of a login ---

void IdentityKeeper::GiveUp(const absl::Status& why) {
  why_not_ = fmt::format("certificate not renewed, it ends at {}: {}",
                         FormatTime(identity_->certificate.not_after()), Printable(MessageOf(why)));
  LookForAnother();
}

void IdentityKeeper::LookForAnother() {
  auto found = std::make_shared<absl::StatusOr<crypto::Identity>>(absl::NotFoundError(""));
  save_.emplace(
      loop_, [dir = state_dir_, found] { *found = crypto::LoadIdentity(dir); },
      [this, found] {
        save_.reset();
        HandleAnother(*found);
      });
}

void IdentityKeeper::HandleAnother(const absl::StatusOr<crypto::Identity>& found) {
  const bool newer = found.ok() && found->spiffe_id() == identity_->spiffe_id() &&
                     found->authority == identity_->authority &&
                     found->certificate.not_after() > identity_->certificate.not_after();
  if (newer) {
    identity_ = std::make_shared<const crypto::Identity>(*found);
    on_renewed_(*identity_);
    PlanNext();
    return;
  }
  if (!why_not_.empty()) CULVERT_LOG(kWarning, "{}", std::exchange(why_not_, ""));
  timer_.Start(kLookAgain, [this] { LookForAnother(); });
}

}  // namespace culvert
