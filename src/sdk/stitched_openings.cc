#include "sdk/stitched_openings.h"

#include <utility>

namespace culvert {

StitchedOpenings::StitchedOpenings(net::EventLoop& loop,
                                   std::function<void(const culvert::v1::AttachRequest&)> send)
    : loop_(loop), send_(std::move(send)), parking_(loop, [this](uint32_t count) {
        culvert::v1::AttachRequest request;
        request.mutable_lease_data()->set_count(count);
        send_(request);
      }) {}

StitchedOpenings::~StitchedOpenings() { Stop(absl::CancelledError("the control stream is gone")); }

void StitchedOpenings::Start(const std::string& address, uint32_t data_port) {
  if (data_port == 0 || data_port > UINT16_MAX) return;
  const absl::StatusOr<net::Address> port =
      net::Address::FromLiteral(address, static_cast<uint16_t>(data_port));
  if (port.ok()) parking_.Start(*port);
}

void StitchedOpenings::Stop(const absl::Status& why) {
  parking_.Stop();
  for (const auto& [id, call] : std::exchange(calls_, {})) call->HandleLost(why);
}

void StitchedOpenings::HandleMessage(const culvert::v1::AttachResponse& response) {
  if (response.has_lease_data()) parking_.TakeLeases(response.lease_data());
  if (response.has_opened()) Answer(response.opened().parked_id(), response);
  if (response.has_resumed()) Answer(response.resumed().parked_id(), response);
  if (response.has_open_error()) Answer(response.open_error().parked_id(), response);
}

void StitchedOpenings::Answer(uint64_t parked_id, const culvert::v1::AttachResponse& response) {
  const auto found = calls_.find(parked_id);
  if (found != calls_.end()) found->second->HandleAnswer(response);
}

bool StitchedOpenings::MayBegin(const std::string& provider) const {
  const auto avoided = avoided_.find(provider);
  return parking_.size() > 0 && (avoided == avoided_.end() || avoided->second <= loop_.Now());
}

void StitchedOpenings::NoteNotJoined(const std::string& provider) {
  if (avoided_.size() >= kMostAvoided) avoided_.clear();
  avoided_[provider] = loop_.Now() + kAvoidTime;
}

std::optional<StitchedOpenings::Try> StitchedOpenings::Begin(const std::string& provider) {
  if (!MayBegin(provider)) return std::nullopt;
  std::optional<DataParking::Parked> parked = parking_.Take();
  if (!parked) return std::nullopt;
  auto call =
      std::make_unique<AttachedCall>(loop_, static_cast<AttachedCall::Line&>(*this), parked->id);
  return Try{std::move(call), std::move(parked->stream)};
}

void StitchedOpenings::SendOpening(const culvert::v1::AttachRequest& request, AttachedCall& call) {
  calls_[call.parked_id()] = &call;
  send_(request);
}

void StitchedOpenings::Forget(AttachedCall& call) {
  const auto found = calls_.find(call.parked_id());
  if (found != calls_.end() && found->second == &call) calls_.erase(found);
}

}  // namespace culvert
