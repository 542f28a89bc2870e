#include "sdk/broker_link.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace culvert {

using State = rpc::Connection::State;

BrokerLink::BrokerLink(net::EventLoop& loop, rpc::Connection& connection, Owner& owner)
    : loop_(loop),
      connection_(connection),
      owner_(owner),
      probe_(loop, connection.address(),
             [this](const BrokerProbe::Success& success) { HandleProbe(success); }),
      timer_(loop) {
  health_.Reset(loop_.Now());
  connection_.SetOnWrite([this] { HandleWrite(); });
}

BrokerLink::~BrokerLink() { connection_.SetOnWrite(nullptr); }

void BrokerLink::SetWaiting(bool waiting) {
  waiting_ = waiting;
  UpdateProbe();
}

void BrokerLink::UpdateProbe() {
  const bool slow =
      connecting_since_ && MonotonicNow() - *connecting_since_ >= ConnectTime(probe_.usual());
  probe_.SetWanted(waiting_ || slow || health_.state() == LinkHealth::State::kSuspected);
}

void BrokerLink::AddPing(const SendPing* send) {
  pings_.push_back(send);
  CheckBy(loop_.Now() + LinkHealth::kPingAfterTraffic);
}

void BrokerLink::Suspect() {
  health_.PingSoon();
  CheckBy(loop_.Now());
}

bool BrokerLink::Ask(uint64_t generation) {
  if (!is_connected() || generation != connection_.generation() || pings_.empty()) return false;
  Suspect();
  return true;
}

void BrokerLink::Leave(uint64_t generation) {
  if (generation == connection_.generation()) Renew({});
}

// --- when to look ---

// Runs with every message: only notes that there is something to look at.
void BrokerLink::HandleWrite() {
  const MonotonicTime now = loop_.Now();
  health_.NoteWrite(now);
  CheckBy(now + LinkHealth::kCheckWhileOutstanding);
}

void BrokerLink::CheckBy(MonotonicTime latest) {
  if (timer_.is_set() && check_at_ <= latest) return;
  check_at_ = latest;
  timer_.Start(std::max(Duration::zero(), latest - loop_.Now()), [this] { Check(); });
}

void BrokerLink::Check() {
  const MonotonicTime now = MonotonicNow();
  const State state = connection_.state();
  if (state == State::kReady) {
    if (std::exchange(connecting_since_, std::nullopt)) sockets_.Expect();
    CheckReady(now);
  } else {
    health_.Reset(now);
    CheckConnecting(state, now);
  }
  UpdateProbe();
}

void BrokerLink::CheckReady(MonotonicTime now) {
  switch (health_.Check(Look(now), now)) {
    case LinkHealth::Action::kNone:
      break;
    case LinkHealth::Action::kPing:
      for (const SendPing* send : std::list(pings_)) (*send)();
      break;
    case LinkHealth::Action::kGiveUp:
      GiveUp(health_.why());
      return;
  }
  if (health_.next_check()) CheckBy(*health_.next_check());
}

void BrokerLink::CheckConnecting(State state, MonotonicTime now) {
  if (state != State::kConnecting) {
    connecting_since_.reset();  // whoever had a stream on it was told, or there is nobody
    return;
  }
  if (!connecting_since_) connecting_since_ = now;
  CheckBy(loop_.Now() + LinkHealth::kCheckWhileOutstanding);
}

LinkHealth::Evidence BrokerLink::Look(MonotonicTime now) {
  LinkHealth::Evidence evidence;
  const rpc::Traffic& traffic = connection_.traffic();
  evidence.last_heard = std::max(traffic.last_heard, connection_.since());
  evidence.heard = traffic.heard;
  evidence.can_ping = !pings_.empty();
  for (const net::TcpProgress& one : sockets_.Look(probe_.Addresses(), now)) {
    // More than one while streams are left of a connection with an older certificate.
    if (!evidence.tcp) evidence.tcp.emplace(LinkHealth::Tcp{.last_ack = one.last_ack});
    evidence.tcp->unacknowledged |= one.unacknowledged;
    evidence.tcp->stalled |= one.stalled;
    evidence.tcp->outstanding |= one.outstanding;
    evidence.tcp->last_ack = std::min(evidence.tcp->last_ack, one.last_ack);
    evidence.tcp->last_data = std::max(evidence.tcp->last_data, one.last_data);
    evidence.tcp->round_trip = std::max(evidence.tcp->round_trip, one.round_trip);
  }
  if (evidence.tcp) probe_.NoteRoundTrip(evidence.tcp->round_trip);
  return evidence;
}

// --- the network ---

void BrokerLink::HandleNetworkChange() {
  switch (connection_.state()) {
    case State::kReady:
      if (HasLostItsAddress()) {
        GiveUp("its address on this machine is gone");
        return;
      }
      Suspect();
      break;
    case State::kFailed:
      Renew({});
      break;
    case State::kConnecting:
    case State::kIdle:
      break;
  }
  probe_.ProbeNow();
}

bool BrokerLink::HasLostItsAddress() {
  const auto sockets = sockets_.Look(probe_.Addresses(), MonotonicNow());
  return std::any_of(sockets.begin(), sockets.end(), [](const net::ConnectedSocket& socket) {
    return !net::IsLocalAddress(socket.local);
  });
}

// --- probes ---

void BrokerLink::HandleProbe(const BrokerProbe::Success& success) {
  switch (connection_.state()) {
    case State::kReady:
      health_.OnProbeConnected({success.begun, success.took, success.was_away, success.usual});
      Check();
      break;
    case State::kConnecting:
      HandleProbeWhileConnecting(success);
      return;
    case State::kFailed:
      Renew(success.address);  // not after what is left of gRPC's own wait
      break;
    case State::kIdle:
      break;
  }
  if (success.was_away) owner_.OnReachable();
}

void BrokerLink::HandleProbeWhileConnecting(const BrokerProbe::Success& success) {
  if (!IsConnectStuck(LookAtConnect(success))) return;
  connecting_since_.reset();
  Renew(success.address);
  owner_.OnDead(*this, "it can be reached, but not by the connection that was under way");
  UpdateProbe();
}

ConnectUnderWay BrokerLink::LookAtConnect(const BrokerProbe::Success& success) {
  const MonotonicTime now = MonotonicNow();
  ConnectUnderWay connect{.age = now - connection_.since(),
                          .waited = std::nullopt,
                          .was_away = success.was_away,
                          .usual = success.usual,
                          .sockets = {}};
  if (connecting_since_) connect.waited = now - *connecting_since_;
  for (const net::TcpProgress& socket : sockets_.Look(probe_.Addresses(), now)) {
    connect.sockets.push_back(
        {now - std::max(socket.last_ack, socket.last_data), socket.unacknowledged});
  }
  return connect;
}

void BrokerLink::Renew(const std::string& address) {
  sockets_.IgnorePresent(probe_.Addresses(), MonotonicNow());
  // A name is left to gRPC as long as it finds an address that answers.
  connection_.Reconnect(probe_.is_name() ? address : std::string());
  health_.Reset(loop_.Now());
}

void BrokerLink::GiveUp(const std::string& why) {
  CULVERT_LOG(kInfo, "lost the connection to broker {}: {}", connection_.address(), why);
  Renew({});
  owner_.OnDead(*this, why);
  UpdateProbe();
}

}  // namespace culvert
