// The consumer's control stream: culvert.v1.Control.Attach.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "culvert/client.h"
#include "culvert/v1/control.pb.h"
#include "net/timer.h"
#include "rpc/stream.h"
#include "sdk/broker_list.h"
#include "sdk/connectivity.h"
#include "sdk/stitched_openings.h"

namespace culvert {

// Confined to the loop. One per process: while anybody uses it, and a little longer, it keeps one
// stream to the broker in use, by which that tells what concerns all channels, and answers pings.
// Losing it loses no channel. A broker without it gets along without.
class Attachment final : private rpc::Stream::Delegate {
 public:
  enum class State {
    kOff,
    kConnecting,  // waits for `attached`
    kAttached,
    kWaiting,  // for the next try
  };

  // Where a notice goes that is for the process and not for a channel.
  struct Process {
    std::function<void()> renew;
    std::function<void(Duration)> hold_openings;
  };

  // How long a broker may take to answer.
  static constexpr Duration kAnswerTime = std::chrono::seconds(10);
  // From the last user's end to the stream's: a forwarder's connections come and go.
  static constexpr Duration kKeepTime = std::chrono::seconds(30);
  // A broker that does not serve it is asked again this late; one that does not want us after a
  // quarter of the time since it had us last, up to that; neither before kShortestWait, whatever
  // happens. One that is slow, or cannot be reached, is tried like any other.
  static constexpr Duration kUnservedWait = std::chrono::minutes(10);
  static constexpr Duration kShortestWait = std::chrono::seconds(10);
  // A broker that has stopped is tried again after this, or when it can be reached again.
  static constexpr Duration kDrainedWait = std::chrono::seconds(1);
  // Longer tickets are dropped: a broker's own have at most 8 KiB.
  static constexpr size_t kMostTicketBytes = size_t{16} * 1024;
  // A broker that is overloaded can have openings wait, but not for ever.
  static constexpr Duration kMaxHold = std::chrono::minutes(1);

  Attachment(net::EventLoop& loop, BrokerList& brokers, Connectivity& connectivity,
             const ClientOptions& options, Process process, Duration answer_time = kAnswerTime);
  ~Attachment();

  // Somebody with channels, or who opens one. Destroy = needs it no more.
  class User {
   public:
    struct Callbacks {
      // The broker goes away at the other end of connection `connection` to it
      // (rpc::Connection::generation): move, to one of the others that it names or to what is in
      // its place.
      std::function<void(size_t broker, uint64_t connection, const culvert::v1::Notice::Drain&)>
          on_drain;
      // The broker has ended this channel for good.
      std::function<void(uint64_t channel_id, const absl::Status& why)> on_cut;
      // This broker has replaced the ticket of a channel.
      std::function<void(size_t broker, uint64_t channel_id, const std::string& ticket)>
          on_fresh_ticket = nullptr;
    };
    User(Attachment& owner, Callbacks callbacks);
    ~User();
    User(const User&) = delete;
    User& operator=(const User&) = delete;

   private:
    friend class Attachment;
    Attachment& owner_;
    const Callbacks callbacks_;
  };

  // A try to open or resume a channel on a stitched path by way of this broker; nothing if there
  // can be none now.
  std::optional<StitchedOpenings::Try> TryStitched(size_t broker, const std::string& provider);
  // Whether TryStitched would have one.
  bool CanStitch(size_t broker, const std::string& provider) const;
  // A channel is opened or lives by way of this broker: stitched paths are wanted.
  void WantStitched(size_t broker);
  StitchedOpenings& stitched() { return stitched_; }

  // A channel goes by way of this broker: the stream should lead there too.
  void Use(size_t broker);
  // There is another certificate, maybe with another key: the stream is to be its owner's.
  void HandleRenewed();
  State state() const { return state_; }
  size_t broker() const { return broker_; }

 private:
  void HandleUsers();
  void Connect();
  void Lose(const absl::Status& why);
  Duration WaitAfter(const absl::Status& why, Duration away);
  void TryNow();
  void HandleDead(size_t broker);
  void Send(const culvert::v1::AttachRequest& request);
  void SendPing();
  void HandleAttached(uint32_t data_port);
  // Callbacks may make and destroy users: those that were there are told while they are.
  void TellUsers(const std::function<void(const User::Callbacks&)>& tell);
  void HandleFreshTicket(const culvert::v1::AttachResponse::FreshTicket& fresh);
  void HandleNotice(const culvert::v1::Notice& notice);
  void HandleDrain();
  void SetState(State to);

  void OnMessage(Bytes message) override;
  void OnWritten() override {}
  void OnEnd(absl::Status status) override;

  BrokerList& brokers_;
  Connectivity& connectivity_;
  const ClientOptions& options_;
  const Process process_;
  const Duration answer_time_;
  const uint64_t incarnation_;
  std::list<User*> users_;
  State state_ = State::kOff;
  size_t preferred_ = 0;     // broker of the last Use
  size_t broker_ = 0;        // where stream_ leads
  uint64_t connection_ = 0;  // its generation, of stream_
  std::unique_ptr<rpc::Stream> stream_;
  std::optional<Connectivity::ControlPing> ping_;  // while attached
  std::optional<MonotonicTime> away_since_;
  MonotonicTime not_before_{};  // of the next try
  net::EventLoop& loop_;
  StitchedOpenings stitched_;
  net::Timer timer_;  // of the answer, or the next try
  net::Timer keep_;   // after the last user
  const Connectivity::Subscription subscription_;
};

}  // namespace culvert
