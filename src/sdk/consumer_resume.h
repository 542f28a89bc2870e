// How a consumer's channel comes to another path when one is lost (docs/protocol.md, "Resume").
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/backoff.h"
#include "net/timer.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "rpc/stream.h"
#include "rpc/stream_path.h"
#include "sdk/asked_brokers.h"
#include "sdk/channel_driver.h"
#include "sdk/client_core.h"
#include "sdk/pending_stitch.h"
#include "sdk/suspended_channels.h"

namespace culvert {

// Confined to the loop; lives beside the driver, from the opening on. Knows what a resume has to
// present, and tries until there is a path, or an answer that is final, or no broker is left that
// might have the channel (AskedBrokers), or the time is over; then it gives the driver up.
class ConsumerResume final : private rpc::Stream::Delegate,
                             private rpc::StreamPath::ControlListener {
 public:
  // A broker may hold a resume for 15 s while the provider is away; a try without an answer is
  // dropped after this.
  static constexpr Duration kAnswerTime = std::chrono::seconds(20);
  // A path that carried the channel for less than this is not replaced at once.
  static constexpr Duration kSteadyTime = std::chrono::seconds(2);
  // A path over streams is left for a stitched one when it is older than this, and when that comes
  // to nothing again after twice that, and so on.
  static constexpr Duration kMoveTime = std::chrono::seconds(1);
  static constexpr Duration kMaxMoveTime = std::chrono::seconds(60);
  // A broker's answer to that is waited for so long when the path was lost meanwhile.
  static constexpr Duration kMoveAnswerTime = std::chrono::milliseconds(500);
  // Sooner when it has carried so much by then.
  static constexpr Duration kEarlyMoveTime = std::chrono::milliseconds(200);
  static constexpr uint64_t kEarlyMoveBytes = uint64_t{1} << 20;
  // But within this, as networks that come back do so by fits and starts; after kManyUnsteady of
  // them in a row only after ten times as long.
  static constexpr Duration kMaxUnsteadyWait = std::chrono::milliseconds(500);
  static constexpr size_t kManyUnsteady = 16;

  // `opened` by broker number `broker` of the list. `driver` outlives this.
  ConsumerResume(ClientCore& core, std::string provider,
                 const ntt::proxies::v1::ConnectResponse::OpenResponse& opened, size_t broker,
                 ChannelDriver& driver);
  ~ConsumerResume();
  ConsumerResume(const ConsumerResume&) = delete;
  ConsumerResume& operator=(const ConsumerResume&) = delete;

  // A path of the driver's on a stream whose opening is done, or on a connection.
  std::unique_ptr<tunnel::Path> MakePath(std::unique_ptr<rpc::Stream> stream);
  std::unique_ptr<tunnel::Path> TakePath(std::unique_ptr<stitch::StitchPath> path);
  // The channel has its end-to-end session: stitched paths show that from now on.
  void SetKey(std::unique_ptr<stitch::HelloKey> key) { key_ = std::move(key); }
  bool is_stitched() const { return kind_ == PathKind::kStitched; }
  // ChannelDriver::Owner's.
  void OnPathLost(const absl::Status& why);
  // Has the connection to the broker looked at: TryNow follows when that can be reached again.
  void OnPathDoubtful() { core_.connectivity().Suspect(path_broker_); }
  // Broker number `broker` has replaced the ticket: another one than the path's may not be asked.
  void TakeFreshTicket(size_t broker, const std::string& ticket) {
    if (can_resume() && broker == path_broker_) ticket_ = ticket;
  }
  // The broker has ended the channel for good.
  void Cut(const absl::Status& why);
  // What runs over connection `connection` (rpc::Connection::generation) to this broker, or over an
  // earlier one, should move. Said once or more.
  void HandleDrain(size_t broker, uint64_t connection, const culvert::v1::Notice::Drain& drain);
  // The driver is done: nothing more happens.
  void Stop();

 private:
  using OpenError = ntt::proxies::v1::ConnectResponse::ChannelOpenError;

  bool can_resume() const { return timeout_ > Duration::zero() && !ticket_.empty(); }
  // Whether the channel may have stitched paths, of what the two ends say.
  static bool MayStitchWith(ClientCore& core,
                            const ntt::proxies::v1::ConnectResponse::OpenResponse& opened);
  enum class PathKind { kStream, kStitched };
  enum class Way { kBest, kStream };
  void Try();
  std::unique_ptr<rpc::Stream> StartTry();
  void Send(std::unique_ptr<rpc::Stream> stream);
  void TryAfter(Duration wait);
  Duration UnsteadyWait();
  void TryNow();
  void HandleDead(size_t broker, const std::string& why);
  void HandleResumed(const ntt::proxies::v1::ConnectResponse::ResumeResponse& resumed);
  void Join();
  void HandleJoined(absl::StatusOr<PendingStitch::Joined> joined);
  void GoOn(std::unique_ptr<tunnel::Path> path, uint64_t last_id, uint64_t window);
  void TryOverStream();
  bool MayMove() const;
  void AwaitMove();
  void MoveToStitched();
  void StayOnStream();
  void HandleRefusal(const absl::Status& status);
  bool IsRefusedByAll(absl::StatusCode status);
  void HandleFailedTry(const absl::Status& why, Duration retry_after);
  void HandleNotice(const culvert::v1::Notice& notice);
  void HandleDrain(const culvert::v1::Notice::Drain& drain);
  void Move(size_t next);
  void StopTrying();
  void GiveUp(ErrorCode code, const std::string& message);
  absl::Status FailureOf(const absl::Status& status) const;

  void OnMessage(Bytes message) override;
  void OnWritten() override {}
  void OnEnd(absl::Status status) override;
  void OnControlMessage(const Bytes& message) override;

  ClientCore& core_;
  const std::string provider_;
  const uint64_t session_id_;
  const Duration timeout_;  // zero: the two ends have not agreed to resume
  ChannelDriver& driver_;
  std::string ticket_;
  uint32_t attempt_;                   // of the path, or the last try
  size_t path_broker_;                 // that carries the path, or did
  uint64_t generation_;                // of the connection of the path or the last try
  size_t broker_;                      // to try
  std::optional<AskedBrokers> asked_;  // since the path was lost
  MonotonicTime path_since_;
  MonotonicTime lost_at_{};
  MonotonicTime tried_at_{};
  MonotonicTime not_before_{};  // as the broker asked
  absl::Status last_failure_;
  std::optional<OpenError> error_;              // of the try under way
  std::unique_ptr<rpc::Stream> stream_;         // of the try under way
  std::unique_ptr<net::TcpStream> connection_;  // with it, if that is for a stitched path
  std::optional<PendingStitch> joining_;        // the same, once the broker has answered
  std::unique_ptr<stitch::HelloKey> key_;
  PathKind kind_ = PathKind::kStream;  // of the last path
  Way way_ = Way::kBest;               // of the next try
  bool moving_ = false;                // the try under way is for a channel that had a path then
  const bool may_stitch_;
  Duration move_after_ = kEarlyMoveTime;
  net::Timer move_timer_;  // from streams to a stitched path
  net::Timer timer_;       // the end of the try under way, or the next one
  net::Timer deadline_;    // of the resume as a whole
  net::Timer move_;        // away from a broker that is about to stop
  Backoff unsteady_{Backoff::Options{.max = kMaxUnsteadyWait}};
  size_t unsteady_paths_ = 0;                      // in a row
  std::optional<SuspendedChannels::Place> place_;  // while there is no path
  Connectivity::Subscription connectivity_;
};

}  // namespace culvert
