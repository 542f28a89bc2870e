// The broker: pairs consumers with providers and relays what they say.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "broker/admission.h"
#include "broker/attached_stream.h"
#include "broker/attachments.h"
#include "broker/audit_trail.h"
#include "broker/data_plane.h"
#include "broker/departures.h"
#include "broker/drain_notices.h"
#include "broker/earlier_paths.h"
#include "broker/gate.h"
#include "broker/identity_calls.h"
#include "broker/legacy_channels.h"
#include "broker/live_channel.h"
#include "broker/log_throttle.h"
#include "broker/openings.h"
#include "broker/parting_pairs.h"
#include "broker/pending_stream.h"
#include "broker/project_calls.h"
#include "broker/quotas.h"
#include "broker/raw_connections.h"
#include "broker/recent_ids.h"
#include "broker/registry.h"
#include "broker/relay.h"
#include "broker/requests.h"
#include "broker/session.h"
#include "broker/ticket_renewals.h"
#include "broker/tickets.h"
#include "net/deferred.h"
#include "net/event_loop.h"
#include "net/timer.h"
#include "rpc/server.h"

namespace culvert::broker {

// How long things may take at a broker.
struct BrokerTimes {
  // An opening whose provider went away less than this ago waits for it, until that time is over.
  static constexpr Duration kAwayWait = std::chrono::seconds(5);

  // A broker younger than this does not know who was here: a provider that it never heard of is
  // taken for one that went away when the broker began.
  Duration start_wait = kAwayWait;
  Duration opening = Relay::kOpeningTime;
  Session::Times session = {};
  // A resume whose provider is away is held for so long.
  Duration resume_wait = std::chrono::seconds(15);
  // The provider has this long to answer one.
  Duration resume_answer = std::chrono::seconds(10);
  Departures::Times departures = {};
  // Of a channel whose path lives. Well below what a ticket lives.
  Duration ticket_renewal = std::chrono::hours(24);
};

// Who decides who may do what; they outlive the Broker. Without them (--insecure) names stand for
// identities and everything is allowed.
struct BrokerAccess {
  Gate* gate = nullptr;
  IdentityCalls* identity_calls = nullptr;
  AuditTrail::Write audit = nullptr;  // takes what happens
  Tickets* tickets = nullptr;
  ProjectCalls* projects = nullptr;
  Quotas::Lookup quotas = nullptr;
};

// Everything but the sockets: streams come in by AddStream. Confined to the control loop.
class Broker final : public Session::Owner, public Relay::Owner {
 public:
  using Limits = Admission::Limits;

  using Times = BrokerTimes;

  using Access = BrokerAccess;

  // `data` outlives it; without one there are no stitched paths.
  Broker(net::EventLoop& loop, std::string region, const Limits& limits, const Times& times = {},
         const Access& access = {}, DataPlane* data = nullptr);
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // Takes a new stream of the server.
  void AddStream(const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream);
  // Who asks, to count by: empty under --insecure; nothing if it is nobody, whom AddStream refuses.
  std::optional<std::string> FindCaller(const rpc::StreamInfo& info) const;
  void SetLimits(const Limits& limits);
  // The policy or the revoked keys have changed: ends what is not allowed any more.
  void CheckPermissions();
  // Quotas have changed. What runs goes on.
  void ReloadQuotas();
  QuotaUse QuotaUseOf(const std::string& project);
  // Those that are open, of one project (an ID), the oldest first.
  std::vector<LiveChannel> ListChannels(const std::string& project) const;
  // Ends a channel at both ends, which hear KILLED. That it is not resumed is Tickets::Kill's
  // matter. Returns it as it was; nothing if it is not here.
  std::optional<LiveChannel> KillChannel(uint64_t id);

  // New sessions and openings are refused from now on, those under way may be accepted if their
  // provider is here. Who is here is told, and has `grace` until EndAll. `on_idle` runs when the
  // last channel has ended, never inside the call.
  void Drain(absl::AnyInvocable<void() &&> on_idle, Duration grace = std::chrono::seconds(30));
  // Ends everything with UNAVAILABLE.
  void EndAll();

  size_t channels() const { return relays_.size(); }
  size_t sessions() const { return registry_.size(); }
  size_t attachments() const { return attachments_.size(); }
  // Streams that have not sent their first message.
  size_t silent_streams() const { return pending_.size(); }
  // Streams of an address that gRPC still holds something of.
  uint64_t counted_streams(const std::string& address) const { return admission_.streams(address); }

 private:
  absl::Status AnswerHealth(PendingStream& pending, const Bytes& message);
  absl::StatusOr<rpc::Frame> AnswerCall(PendingStream& pending, const Bytes& message);
  absl::StatusOr<rpc::Frame> AnswerIdentified(PendingStream& pending, const Bytes& message);
  rpc::Frame Record(IdentityCalls::Issued issued, AuditKind kind, PendingStream& pending);
  rpc::Frame ListAgents(const Principal& who) const;
  absl::StatusOr<rpc::Frame> KeyRotations(const Principal& who, const Bytes& message) const;
  absl::StatusOr<rpc::Frame> RequestConnection(const Principal& who, PendingStream& pending,
                                               const Bytes& message);
  absl::StatusOr<RawRequest> AllowRaw(const Principal& who, PendingStream& pending,
                                      const culvert::v1::RequestConnectionRequest& message);
  absl::Status MayGoOn(const RawRequest& request) const;
  // None under --insecure.
  // `refused` is whose certificate it would have been, as of Gate::Identify.
  absl::StatusOr<std::optional<Principal>> Identify(PendingStream& pending,
                                                    std::optional<Principal>* refused = nullptr);
  void RefuseUnknown(const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream);
  absl::Status Begin(PendingStream& pending, const Bytes& message);
  PendingStream& AwaitFirstMessage(const rpc::StreamInfo& info, std::unique_ptr<rpc::Stream> stream,
                                   SlotCounter::Slot opening_slot);
  // To streams that are refused or ended: their client is to try again, elsewhere or later.
  static absl::Status ShuttingDown();
  void HandleFirstMessage(PendingStream& pending, const std::optional<Bytes>& message);
  absl::Status BeginProjectCall(PendingStream& pending, const Bytes& message);
  absl::Status BeginConnect(PendingStream& pending, const Bytes& message);
  absl::Status BeginListen(PendingStream& pending, const Bytes& message);
  absl::Status BeginAccept(PendingStream& pending, const Bytes& message);
  absl::Status BeginAttach(PendingStream& pending, const Bytes& message);
  // Whom to tell that the broker drains: providers first, for whom the others look elsewhere.
  std::vector<DrainNotices::Tell> WhomToTell();
  void OpenRelay(PendingStream& pending, OpenChannel open);
  Relay& AddRelay(std::unique_ptr<Relay> relay);

  Attachments::Calls AttachmentCalls();
  // An opening or a resume that came over an Attach stream, on a stitched path or not at all.
  void AddAttached(const Attachment& attachment, std::unique_ptr<AttachedStream> stream);
  absl::Status OpenStitched(PendingStream& pending, OpenChannel open);
  absl::Status ResumeStitched(PendingStream& pending, OpenChannel open, Resumption resumption,
                              Relay* older);
  // Both ends' parked connections. UNAVAILABLE, with NO_PATH, unless both have one.
  absl::StatusOr<Relay::Ends> TakeParked(const DataOwner& consumer, const OpenChannel& open,
                                         const Session* session);
  static DataOwner DataOwnerOf(const Session& session);
  void Stitch(Relay& relay, const Session& session, Relay::Ends ends);
  void HandleStitchRefused(Relay& relay, const OfferRefusal& refusal);
  // Tells the consumer that the channel has ended for good, then cuts it.
  void NotifyAndCut(Relay& relay, const absl::Status& why);

  // Takes one of the openings that the project may have, or tells the consumer why not.
  absl::Status TakeOpening(PendingStream& pending, const OpenChannel& open);
  absl::Status CheckAgents(PendingStream& pending, const OpenSession& open);

  absl::Status BeginResume(PendingStream& pending, const ResumeChannel& resume,
                           const std::optional<Principal>& who);
  absl::Status BeginLegacyResume(PendingStream& pending, const ResumeChannel& resume,
                                 const std::optional<Principal>& who);
  // What is known of a channel that a legacy consumer resumes, as one more attempt.
  std::optional<LegacyChannels::Channel> FindLegacy(const ResumeChannel& resume,
                                                    const std::optional<Principal>& who);
  // Unless it is no channel of a legacy consumer.
  void RememberLegacy(const Relay& relay);
  // Tells the consumer why; the status is what its stream is to end with.
  static absl::Status Refuse(PendingStream& pending, const ResumeChannel& resume,
                             const ResumeRefusal& refusal);
  // Whoever sent `resume` may ask for this; whether it is granted is decided here.
  absl::Status Resume(PendingStream& pending, const ResumeChannel& resume, OpenChannel open,
                      Resumption resumption);
  std::optional<ResumeRefusal> CheckResume(const OpenChannel& open, const Resumption& resumption);
  void OfferResume(Relay& relay, Session& session);
  void HoldResume(Relay& relay);
  void HandleResumeTimeout(Relay& relay);
  // Tells the provider that the channel has ended for good: now, or when its session is back.
  void TellCut(const ProviderKey& provider, uint64_t session_id, uint64_t channel_id,
               const absl::Status& why);
  void TellUntoldCuts(Session& session);
  // A consumer that is refused tries again as often as it likes: each channel's end is written once
  // to a Listen stream.
  void TellCutOnce(Session& session, uint64_t channel_id, const absl::Status& why);
  // The channel has a path: its ticket is replaced from time to time.
  void KeepTicketFresh(const Relay& relay);
  void AwaitTicketRenewals();
  // What the channel has carried is for its next path to go on from, if there may be one.
  void KeepCarried(const Relay& relay);
  std::string MakeTicket(const Relay& relay) override;

  // Unless there is nothing to come back for.
  void NoteLost(const Relay& relay);
  void NoteLost(const Session& session, const absl::Status& why);
  void AwaitReturns();
  void HandleUserGone(const Departures::Gone& gone);
  void HandleAgentGone(const Departures::Gone& gone);

  // What may not go on.
  void CutForGood(Relay& relay, const absl::Status& why);

  void Offer(Relay& relay, Session& session);
  // The provider of `relay` is not here.
  void Wait(Relay& relay);
  void OfferWaiting(Session& session);
  // An opening or a resume whose provider has come, or gone.
  void OfferAgain(Relay& relay, Session* session);
  // What `session` was offered and has not accepted goes to whoever is in its place, or waits for
  // it.
  void TakeBackOffers(const Session& session);
  // The provider of the session is at `endpoint` now. What still runs over another connection of
  // its may be dead for long before TCP knows; if it is not, that costs a resume.
  void LeaveOtherPaths(const Session& session, const std::string& endpoint);
  // The earlier session that `open` goes on with, or another id.
  uint64_t SessionIdFor(const OpenSession& open);
  bool MayGoOnWith(const EarlierSession& earlier, const OpenSession& open);
  void EndSession(uint64_t id, const absl::Status& why);
  void TakeOver(std::unique_ptr<Session> replaced, const Session& by);
  void RemoveSession(std::unique_ptr<Session> session, const absl::Status& why);
  // It may be what called us.
  void Bury(std::unique_ptr<Session> session);
  void FailAway(Relay& relay);

  void OnOpenRefused(Session& session, const OfferRefusal& refusal) override;
  void OnStitchFailed(Session& session, uint64_t channel_id, uint64_t parked_id) override;
  culvert::v1::LeaseDataResponse Lend(const Session& session, uint32_t count) override;
  uint32_t data_port() const override;
  void OnSessionLost(Session& session, absl::Status why) override;
  std::string MakeTicket(uint64_t session_id, const OpenSession& opening) override;
  void OnRelayEnded(Relay& relay) override;
  void OnRelayTimeout(Relay& relay) override;
  void Sweep();

  net::EventLoop& loop_;
  const std::string region_;
  const Times times_;
  const Access access_;
  DataPlane* const data_;
  Tickets insecure_tickets_;  // used if `access_` has none
  Tickets& tickets_;
  const MonotonicTime born_;
  Admission admission_;
  AuditTrail trail_;
  LogThrottle refusals_log_;
  LogThrottle takeovers_log_;
  LogThrottle sessions_log_{100};  // a fleet may come back at once, a loop of one agent may not
  Departures departures_;          // outlives the streams
  Registry registry_;
  Quotas quotas_;  // outlives what counts in it
  Attachments attachments_;
  RawConnections raw_;
  TicketRenewals ticket_renewals_;
  EarlierPaths earlier_paths_;
  DrainNotices drain_notices_;
  net::Timer returns_timer_;
  net::Timer ticket_timer_;
  std::unordered_map<PendingStream*, std::unique_ptr<PendingStream>> pending_;
  std::unordered_map<Relay*, std::unique_ptr<Relay>> relays_;
  PartingPairs parting_pairs_;
  Openings openings_;
  LegacyChannels legacy_;
  // What providers that are away have to hear. The oldest are forgotten first: who does not hear of
  // it holds its end until the resume timeout.
  static constexpr size_t kMaxUntoldCuts = 1'024;
  struct UntoldCut {
    uint64_t session_id;
    uint64_t channel_id;
    absl::Status why;
  };
  std::deque<UntoldCut> untold_cuts_;
  // Those that were told: the channel's id and the stream's in one, both of them random.
  static constexpr Duration kToldCutTime = std::chrono::hours(1);
  static constexpr size_t kMaxToldCuts = 16'384;
  RecentIds told_cuts_{kToldCutTime, kMaxToldCuts};
  // What ended and is removed in the next turn: it may be what called us.
  std::vector<PendingStream*> done_pending_;
  std::vector<Relay*> done_relays_;
  std::vector<std::unique_ptr<Session>> done_sessions_;
  net::Deferred sweep_;
  bool draining_ = false;
  absl::AnyInvocable<void() &&> on_idle_;
};

}  // namespace culvert::broker
