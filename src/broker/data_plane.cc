#include "broker/data_plane.h"

#include <chrono>
#include <utility>

#include "base/status.h"

namespace culvert::broker {
namespace {

// Leases and parked sockets of one principal: as many as two of its programs keep
// (culvert::DataParking), which one that hands over to its successor is for a while.
constexpr size_t kMostParked = 128;

}  // namespace

absl::StatusOr<std::unique_ptr<DataPlane>> DataPlane::Start(net::EventLoop& loop,
                                                            const Options& options) {
  auto plane = std::unique_ptr<DataPlane>(new DataPlane(loop, options));
  CULVERT_ASSIGN_OR_RETURN(
      plane->splicer_,
      net::Splicer::Start(loop, options.splicer,
                          [raw = plane.get()](const net::SpliceEnd& end) { raw->HandleEnd(end); }));
  return plane;
}

DataPlane::DataPlane(net::EventLoop& loop, const Options& options)
    : loop_(loop),
      advertised_port_(options.advertised_port),
      leases_(Leases::Limits{.per_principal = kMostParked}),
      parked_(loop, ParkedSockets::Limits{.per_principal = kMostParked}),
      port_(loop, options.peers, options.limits,
            [this](std::string_view token, net::UniqueFd socket) {
              return HandleToken(token, std::move(socket));
            }) {}

DataPlane::~DataPlane() = default;

uint32_t DataPlane::advertised_port() const {
  const std::vector<net::Address> addresses = port_.addresses();
  if (addresses.empty()) return 0;
  return advertised_port_ != 0 ? advertised_port_ : addresses.front().port();
}

culvert::v1::LeaseDataResponse DataPlane::Lend(const DataOwner& owner, uint32_t count) {
  culvert::v1::LeaseDataResponse response;
  if (advertised_port() == 0) return response;
  const auto within = std::chrono::duration_cast<std::chrono::milliseconds>(leases_.lifetime());
  const size_t parked = parked_.CountOf(owner.principal);
  for (Leases::Lease& lease : leases_.Grant(owner, count, parked, loop_.Now())) {
    auto& granted = *response.add_leases();
    granted.set_token(std::move(lease.token));
    granted.set_parked_id(lease.parked_id);
    granted.set_expires_ms(static_cast<uint32_t>(within.count()));
  }
  return response;
}

void DataPlane::Drop(const DataOwner& owner) {
  leases_.Forget(owner);
  parked_.Drop(owner);
}

DataPort::Verdict DataPlane::HandleToken(std::string_view token, net::UniqueFd socket) {
  const std::optional<Leased> leased = leases_.Redeem(token, loop_.Now());
  if (!leased) {
    const bool other = other_tokens_ != nullptr && other_tokens_(token, socket);
    return other ? DataPort::Verdict::kGood : DataPort::Verdict::kWrong;
  }
  parked_.Park(*leased, std::move(socket));
  return DataPort::Verdict::kGood;
}

void DataPlane::HandleEnd(const net::SpliceEnd& end) {
  const auto found = pairs_.find(end.id);
  if (found == pairs_.end()) return;
  Pair* const pair = found->second;
  pairs_.erase(found);
  pair->HandleEnd(end);
}

DataPlane::Pair::Pair(DataPlane& plane, net::UniqueFd consumer, net::UniqueFd provider,
                      OnEnd on_end, std::shared_ptr<net::ByteRate> rate)
    : plane_(plane),
      id_(plane.splicer_->Join(std::move(consumer), std::move(provider), std::move(rate))),
      on_end_(std::move(on_end)) {
  plane_.pairs_.emplace(id_, this);
}

DataPlane::Pair::~Pair() { Cut(); }

void DataPlane::Pair::Cut() {
  if (on_end_ == nullptr) return;
  moved_ = moved();
  on_end_ = nullptr;
  plane_.pairs_.erase(id_);
  plane_.splicer_->Cut(id_);
}

void DataPlane::Pair::Forget() {
  if (on_end_ != nullptr) on_end_ = [](const net::SpliceEnd&) {};
}

std::array<uint64_t, 2> DataPlane::Pair::moved() const {
  return plane_.splicer_->Moved(id_).value_or(moved_);
}

void DataPlane::Pair::HandleEnd(const net::SpliceEnd& end) {
  moved_ = end.bytes;
  std::exchange(on_end_, nullptr)(end);
}

}  // namespace culvert::broker
