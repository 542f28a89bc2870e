#include "sdk/provider_channels.h"

#include <utility>

#include "base/status.h"
#include "culvert/error_code.h"

namespace culvert {
namespace {

namespace pb = ntt::proxies::v1;

absl::Status SessionLost() {
  return ErrorStatus(ErrorCode::kOutOfRange, "the agent's registration was lost");
}

}  // namespace

ProviderChannels::ProviderChannels(ClientCore& core, const Provider::Options& options, Owner& owner)
    : core_(core),
      options_(options),
      owner_(owner),
      changes_(core.loop(), [this] { HandleChanges(); }),
      parting_timer_(core.loop()) {}

ProviderChannels::~ProviderChannels() = default;

ProviderChannel* ProviderChannels::Find(uint64_t channel_id) {
  const auto found = channels_.find(channel_id);
  return found == channels_.end() ? nullptr : found->second.get();
}

// --- what the broker says ---

void ProviderChannels::TakeOffer(const pb::ListenResponse::OpenChannelResponse& offer,
                                 const ProviderChannel::Link& link) {
  if (!stopped_.ok()) {
    owner_.SendRefusal(offer.channel_id(), stopped_, 0);
    return;
  }
  link.parking.NoteOpening();
  absl::StatusOr<std::unique_ptr<net::TcpStream>> connection =
      TakeConnection(offer.channel_id(), offer.parked_id(), link);
  if (!connection.ok()) return;
  auto created = std::make_unique<ProviderChannel>(core_, link, offer, *std::move(connection),
                                                   static_cast<ProviderChannel::Owner&>(*this));
  const auto [place, added] = channels_.emplace(offer.channel_id(), std::move(created));
  if (!added) {
    owner_.SendRefusal(offer.channel_id(),
                       ErrorStatus(ErrorCode::kAlreadyExists, "channel id is in use"), 0);
    return;
  }
  ProviderChannel& channel = *place->second;
  if (++starting_ > kMaxStarting) {
    channel.Refuse(ErrorStatus(ErrorCode::kBusy, "too many openings under way at the agent"));
    return;
  }
  const auto factory = options_.services.find(offer.service());
  const bool plain = options_.plaintext_services.count(offer.service()) > 0;
  channel.Start(factory == options_.services.end() ? nullptr : &factory->second,
                plain ? ProviderChannel::Plain::kYes : ProviderChannel::Plain::kNo);
}

// The parked one that the broker has joined for the channel; null if that is to have streams.
absl::StatusOr<std::unique_ptr<net::TcpStream>> ProviderChannels::TakeConnection(
    uint64_t channel_id, uint64_t parked_id, const ProviderChannel::Link& link) {
  if (parked_id == 0) return nullptr;
  if (std::optional<DataParking::Parked> parked = link.parking.TakeById(parked_id)) {
    return std::move(parked->stream);
  }
  owner_.SendStitchFailed(channel_id, parked_id);
  return absl::UnavailableError("the parked connection is gone");
}

void ProviderChannels::TakeResume(const pb::ListenResponse::ResumeChannelResponse& resume,
                                  const ProviderChannel::Link& link) {
  const uint64_t id = resume.channel_id();
  link.parking.NoteOpening();
  if (const auto grave = tombstones_.Find(id, core_.loop().Now())) {
    owner_.SendRefusal(id, ErrorStatus(grave->AnswerCode(), "the channel has ended"),
                       grave->last_id);
    return;
  }
  ProviderChannel* const channel = Find(id);
  if (channel == nullptr || !channel->is_accepted()) {
    owner_.SendRefusal(id, ErrorStatus(ErrorCode::kUnknownChannel, "no such channel"), 0);
    return;
  }
  absl::StatusOr<std::unique_ptr<net::TcpStream>> connection =
      TakeConnection(id, resume.parked_id(), link);
  if (connection.ok() && *connection != nullptr && !channel->MayBeStitched()) {
    // The broker was not told that it could be: the connection ends, and the consumer tries again.
    owner_.SendStitchFailed(id, resume.parked_id());
    return;
  }
  if (connection.ok()) channel->Resume(resume, link, *std::move(connection));
}

void ProviderChannels::Cut(const culvert::v1::Notice::Cut& cut) {
  if (ProviderChannel* const channel = Find(cut.channel_id())) {
    channel->Cut(ErrorStatus(ErrorCodeFromNumber(static_cast<uint32_t>(cut.code())),
                             tunnel::CutErrorText(cut.message())));
  }
}

void ProviderChannels::AbortAll(const absl::Status& why) {
  for (const auto& [id, channel] : channels_) channel->Abort(why);
}

void ProviderChannels::CutStarting(const absl::Status& why) {
  for (const auto& [id, channel] : channels_) channel->CutIfStarting(why);
}

void ProviderChannels::StopTaking(const absl::Status& why) {
  stopped_ = why;
  CutStarting(why);
  changes_.Schedule();
}

void ProviderChannels::SetSession(uint64_t session_id) {
  session_id_ = session_id;
  for (const uint64_t id : suspended_.Ids()) {
    ProviderChannel* const channel = Find(id);
    if (channel->session_id() != session_id_) channel->GiveUp(SessionLost());
  }
}

void ProviderChannels::TellStitchesLost() {
  for (const uint64_t id : suspended_.Ids()) Find(id)->TellStitchLost();
}

void ProviderChannels::SuspendAt(size_t broker, const std::string& why) {
  for (const auto& [id, channel] : channels_) {
    if (channel->broker() == broker) channel->Suspend(absl::UnavailableError(why));
  }
}

void ProviderChannels::LeaveUnanswered(const absl::Status& why) {
  for (const auto& [id, channel] : channels_) channel->LeaveUnanswered(why);
}

// --- what the channels say ---

void ProviderChannels::OnChannelStarted() {
  --starting_;
  changes_.Schedule();
}

void ProviderChannels::OnChannelRefused(ProviderChannel& channel, const absl::Status& why,
                                        uint64_t last_id) {
  owner_.SendRefusal(channel.id(), why, last_id);
  if (auto connection = channel.TakeConnection()) Part(std::move(connection));
}

void ProviderChannels::Part(std::unique_ptr<net::TcpStream> connection) {
  parting_.push_back(std::move(connection));
  if (parting_.size() > kMostParting) parting_.pop_front();
  parting_timer_.Start(kPartingTime, [this] { parting_.clear(); });
}

void ProviderChannels::OnChannelReport(const ServiceRequest& request, const ChannelReport& report) {
  if (options_.on_channel_end) options_.on_channel_end(request, report);
}

void ProviderChannels::OnChannelSuspended(ProviderChannel& channel) {
  if (channel.session_id() != session_id_) {
    channel.GiveUp(SessionLost());
    return;
  }
  suspended_.Add(channel.id(), channel.consumer_key());
  changes_.Schedule();
  LimitSuspended(channel.consumer_key());
}

void ProviderChannels::LimitSuspended(const std::string& consumer_key) {
  while (suspended_.CountOf(consumer_key) > kMaxSuspended) {
    const std::optional<uint64_t> oldest = suspended_.OldestOf(consumer_key);
    suspended_.Remove(*oldest);
    Find(*oldest)->GiveUp(
        ErrorStatus(ErrorCode::kLimit, "too many channels of this consumer wait for a path"));
  }
}

void ProviderChannels::OnStitchedPathLost(ProviderChannel& channel, uint64_t parked_id) {
  owner_.SendStitchFailed(channel.id(), parked_id);
}

void ProviderChannels::OnChannelResumed(ProviderChannel& channel) {
  suspended_.Remove(channel.id());
  changes_.Schedule();
}

void ProviderChannels::OnChannelDone(ProviderChannel& channel) {
  suspended_.Remove(channel.id());
  if (const auto tombstone = channel.tombstone()) {
    tombstones_.Add(channel.id(), *tombstone, core_.loop().Now());
  }
  done_.push_back(channel.id());
  changes_.Schedule();
}

void ProviderChannels::HandleChanges() {
  const std::vector<uint64_t> done = std::exchange(done_, {});
  for (const uint64_t id : done) channels_.erase(id);
  if (channels_.empty() && !done.empty()) core_.ReturnFreeMemory();
  owner_.OnChannelsChanged();
}

std::vector<ChannelStatus> ProviderChannels::Status() const {
  std::vector<ChannelStatus> all;
  for (const auto& [id, channel] : channels_) {
    if (std::optional<ChannelStatus> status = channel->Status()) all.push_back(*std::move(status));
  }
  return all;
}

}  // namespace culvert
