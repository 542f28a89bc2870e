#include "sdk/data_parking.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace culvert {
namespace {

constexpr size_t kTokenBytes = 32;

// Of a connection that was taken: whoever took it hears by the first use that it is broken.
struct Nobody final : net::ByteStream::Delegate {
  void OnBytes(Bytes) override {}
  void OnEnd() override {}
  void OnBroken(absl::Status) override {}
};

net::ByteStream::Delegate* NobodyYet() {
  static Nobody nobody;
  return &nobody;
}

}  // namespace

// Owns the connection, and watches it while it is parked: one that breaks is worth nothing.
struct DataParking::Waiting final : net::ByteStream::Delegate {
  Waiting(DataParking& parking, uint64_t parked_id, std::string its_token)
      : owner(parking), id(parked_id), token(std::move(its_token)) {}

  void OnBytes(Bytes) override {}  // never read
  void OnEnd() override {}
  void OnBroken(absl::Status) override { owner.Drop(*this); }

  DataParking& owner;
  const uint64_t id;
  std::string token;
  std::optional<net::Dial> dial;
  std::unique_ptr<net::TcpStream> stream;
  MonotonicTime since{};
};

DataParking::DataParking(net::EventLoop& loop, std::function<void(uint32_t)> lease,
                         const Times& times)
    : loop_(loop),
      lease_(std::move(lease)),
      times_(times),
      fill_(loop, [this] { Fill(); }),
      retry_(times.first_retry),
      lease_wait_(times.no_lease),
      timer_(loop) {}

DataParking::~DataParking() = default;

void DataParking::Start(const net::Address& data_port) {
  Stop();
  port_ = data_port;
  fill_.Schedule();
}

void DataParking::Stop() {
  port_.reset();
  unanswered_ = 0;
  asked_ = 0;
  leased_.clear();
  dialling_.clear();
  parked_.clear();
  timer_.Cancel();
  retry_ = times_.first_retry;
  lease_wait_ = times_.no_lease;
  not_before_ = {};
}

void DataParking::Renew() {
  leased_.clear();
  dialling_.clear();
  parked_.clear();
  fill_.Schedule();
}

void DataParking::NoteOpening() {
  opened_ = loop_.Now();
  wanted_ = std::max(wanted_, kFewest);
  fill_.Schedule();
}

// A pool that was empty when it was needed is too small.
void DataParking::Grow() {
  wanted_ = std::clamp(wanted_ * 2, kFewest, kMost);
  needed_ = loop_.Now();
}

void DataParking::Shrink(MonotonicTime now) {
  if (now - needed_ <= times_.unneeded || wanted_ <= kFewest) return;
  wanted_ = std::max(wanted_ / 2, kFewest);
  needed_ = now;
  while (parked_.size() > wanted_) parked_.pop_front();
}

void DataParking::Fill() {
  if (!port_ || loop_.Now() < not_before_) return;
  const size_t have = asked_ + leased_.size() + dialling_.size() + parked_.size();
  if (have >= wanted_ || 2 * have > wanted_) return;  // several are worth a message
  ++unanswered_;
  asked_ += wanted_ - have;
  lease_(static_cast<uint32_t>(wanted_ - have));
}

void DataParking::TakeLeases(const culvert::v1::LeaseDataResponse& response) {
  // It is not the broker that says how often this host dials.
  if (!port_ || unanswered_ == 0) return;
  --unanswered_;
  // The broker may grant fewer: what it did not is asked for with the next opening.
  asked_ = 0;
  if (response.leases().empty()) {
    not_before_ = loop_.Now() + lease_wait_;
    lease_wait_ = std::min(2 * lease_wait_, times_.no_lease);
  } else {
    lease_wait_ = kFirstLeaseWait;
  }
  for (const auto& lease : response.leases()) {
    if (leased_.size() + dialling_.size() + parked_.size() >= kMost) break;
    if (lease.token().size() != kTokenBytes) continue;
    leased_.push_back({lease.parked_id(), lease.token(),
                       loop_.Now() + std::chrono::milliseconds(lease.expires_ms()) / 2});
  }
  DialNext();
}

void DataParking::DialNext() {
  for (; !leased_.empty() && dialling_.size() < kMostDialling; leased_.pop_front()) {
    const Leased& lease = leased_.front();
    if (lease.until < loop_.Now()) continue;
    Waiting& waiting =
        *dialling_.emplace_back(std::make_unique<Waiting>(*this, lease.parked_id, lease.token));
    waiting.dial.emplace(loop_, std::vector<net::Address>{*port_}, times_.dial,
                         [this, &waiting](absl::StatusOr<std::unique_ptr<net::TcpStream>> stream) {
                           Dialled(waiting, std::move(stream));
                         });
  }
}

void DataParking::Dialled(Waiting& waiting,
                          absl::StatusOr<std::unique_ptr<net::TcpStream>> stream) {
  if (!stream.ok()) {
    GiveUpPort(stream.status());
    return;
  }
  // What has worked is most likely back soon, as a broker that is started anew.
  retry_ = std::min<Duration>(times_.first_retry, std::chrono::seconds(1));
  waiting.stream = *std::move(stream);
  waiting.since = loop_.Now();
  waiting.stream->SetDelegate(&waiting);
  waiting.stream->Write(Bytes::Copy(waiting.token), [](const absl::Status&) {});
  std::fill(waiting.token.begin(), waiting.token.end(), '\0');
  const auto place =
      std::find_if(dialling_.begin(), dialling_.end(),
                   [&waiting](const auto& other) { return other.get() == &waiting; });
  parked_.splice(parked_.end(), dialling_, place);
  if (!timer_.is_set()) timer_.Start(times_.check, [this] { CheckAges(); });
  DialNext();
}

void DataParking::GiveUpPort(const absl::Status& why) {
  CULVERT_LOG(kInfo, "data port: next try in {:.0f} s: {}", ToSeconds(retry_),
              Printable(MessageOf(why)));
  not_before_ = loop_.Now() + retry_;
  retry_ = std::min(2 * retry_, times_.last_retry);
  leased_.clear();
  dialling_.clear();
  parked_.clear();
}

void DataParking::Drop(Waiting& waiting) {
  parked_.remove_if([&waiting](const auto& other) { return other.get() == &waiting; });
}

// A reset is told, an end is not: nothing is read here.
void DataParking::DropEnded() {
  parked_.remove_if([](const auto& parked) { return parked->stream->HasEndedUnread(); });
}

std::optional<DataParking::Parked> DataParking::Take() {
  while (!parked_.empty() && parked_.front()->stream->HasEndedUnread()) parked_.pop_front();
  if (parked_.empty()) {
    if (port_) Grow();
    return std::nullopt;
  }
  return Take(parked_.begin());
}

std::optional<DataParking::Parked> DataParking::TakeById(uint64_t id) {
  const auto found = std::find_if(parked_.begin(), parked_.end(),
                                  [id](const auto& parked) { return parked->id == id; });
  if (found == parked_.end()) return std::nullopt;
  if ((*found)->stream->HasEndedUnread()) {
    parked_.erase(found);
    return std::nullopt;
  }
  return Take(found);
}

std::optional<DataParking::Parked> DataParking::Take(
    std::list<std::unique_ptr<Waiting>>::iterator which) {
  Parked taken{(*which)->id, std::move((*which)->stream)};
  taken.stream->SetDelegate(NobodyYet());
  parked_.erase(which);
  if (parked_.empty()) Grow();
  if (2 * parked_.size() <= wanted_) needed_ = loop_.Now();
  fill_.Schedule();
  return taken;
}

void DataParking::CheckAges() {
  const MonotonicTime now = loop_.Now();
  if (!opened_ || now - *opened_ > times_.idle) {
    wanted_ = 0;
    parked_.clear();
    leased_.clear();
    dialling_.clear();
    return;
  }
  DropEnded();
  parked_.remove_if(
      [this, now](const auto& parked) { return now - parked->since > times_.max_age; });
  Shrink(now);
  Fill();
  timer_.Start(times_.check, [this] { CheckAges(); });
}

}  // namespace culvert
