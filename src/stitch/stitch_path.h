// A stitched connection as the path of a channel: frames on a TCP socket that the broker has joined
// to the other end's.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "culvert/v1/stitch.pb.h"
#include "net/byte_stream.h"
#include "net/event_loop.h"
#include "net/tcp_stream.h"
#include "net/timer.h"
#include "net/turn_end.h"
#include "stitch/frame.h"
#include "tunnel/path.h"

namespace culvert::stitch {

// Confined to the loop. Says Hello as soon as it is made and is up, which OnPathReady tells, once
// the peer's Hello was accepted. OnPathEnd says OK only when both ends have finished in order;
// UNAVAILABLE when the connection was lost, DATA_LOSS for what is no frame or has no place where it
// is, DEADLINE_EXCEEDED when there is no Hello. Destroyed before that it resets the connection, as
// the death of the process does.
//
// The peer's messages are given out while reading is on. While it is off, at most what one read
// brought waits here; until there is a message among it, Pings are answered. A message that was
// given out holds less than twice its bytes, whatever came with it (FrameReader).
class StitchPath final : public tunnel::Path, private net::ByteStream::Delegate {
 public:
  class HelloListener {
   public:
    // The peer's Hello, once, before everything else of the peer. OK: the path is up. Anything
    // else goes to OnPathEnd. May use the path, hand it over (SetDelegate) or destroy it.
    virtual absl::Status OnHello(const v1::StitchHello& hello) = 0;

   protected:
    ~HelloListener() = default;
  };

  struct Times {
    Duration hello = std::chrono::seconds(2);       // until the peer's must be there
    Duration ping = std::chrono::seconds(8);        // of silence, then a Ping
    Duration loss = std::chrono::seconds(20);       // of silence, then the path is lost
    Duration idle_ping = std::chrono::seconds(24);  // the same two while it is idle
    Duration idle_loss = std::chrono::seconds(60);
    // After a write, at TCP, until all has arrived.
    Duration look = std::chrono::milliseconds(250);
    // From when TCP has sent something again and again (net::TcpProgress::stalled) to the loss of
    // the path: about 3 s after the network went. TCP itself would go on, but after an outage only
    // with its sender's next retransmission, which may be as far away as the outage was long.
    Duration stall = std::chrono::milliseconds(1500);
  };

  // Below this many unwritten bytes it is ready: two messages of the largest size may be under way,
  // so that the kernel does not run dry while the next one is made (bench/stitch_path.cc).
  static constexpr size_t kMostUnwritten = size_t{512} * 1024;

  // Fifteen whole TLS records, so that it is one message also when it is sealed.
  static constexpr size_t kBestPayload = size_t{240} * 1024;

  // `stream` is connected, the token was written to it and nothing was read. The path is its
  // delegate from now on. `listener` and `delegate` outlive the path, or its handing over.
  // `early`, unless it is empty, goes out with the Hello as the channel's first message: the Data
  // that the channel then sends first has the same bytes, and is not sent again.
  StitchPath(net::EventLoop& loop, std::unique_ptr<net::TcpStream> stream,
             const v1::StitchHello& hello, HelloListener& listener,
             tunnel::Path::Delegate& delegate, const Times& times, const Bytes& early = Bytes());
  StitchPath(net::EventLoop& loop, std::unique_ptr<net::TcpStream> stream,
             const v1::StitchHello& hello, HelloListener& listener,
             tunnel::Path::Delegate& delegate)
      : StitchPath(loop, std::move(stream), hello, listener, delegate, Times()) {}
  ~StitchPath() override;

  // Who hears of the path from now on.
  void SetDelegate(tunnel::Path::Delegate& delegate) { delegate_ = &delegate; }
  // The peer's Hello must be there so long from now on. Only before it is.
  void AwaitHello(Duration limit);

  bool ready() const override;
  // A Data message goes out at once if it is the first in this turn of the loop; what follows it
  // and everything else gathers until the end of the turn, or kGathered bytes.
  void Send(const tunnel::Message& message) override;
  size_t best_payload() const override { return kBestPayload; }
  void SetReading(bool on) override;
  void SetIdle(bool idle) override {
    if (!idle && idle_) busy_silence_ = Duration::zero();
    idle_ = idle;
  }
  bool HeardSince(MonotonicTime then) const override { return heard_at_ >= then; }
  bool IsStalled() const override;
  void AskForAnswer() override;
  // Only when it is up.
  void Finish() override;

 private:
  enum class State {
    kOpening,       // the peer's Hello is not there
    kUp,            //
    kFinishing,     // Finish was called, and not all is out
    kFinished,      // our direction has ended; the peer's has not
    kPeerFinished,  // the peer's has ended too; not all of ours is out
    kEnded,         // the delegate knows
  };
  enum class Pong { kNone, kUnwritten };
  // Of what was sent in this turn.
  enum class Sent { kNothing, kData };

  void OnBytes(Bytes bytes) override;
  void OnEnd() override;
  void OnBroken(absl::Status why) override;

  void Drain();
  bool HandleNext();
  void HandleFrame(Frame frame);
  void HandleHello(const Frame& frame);
  void GiveOut(tunnel::Message message);
  void UpdateReading();
  void Gather(const tunnel::Message& message);
  void AppendControl(FrameType type, std::string_view body);
  void Flush();
  void HandleWritten(size_t bytes, Pong pong);
  void HandleFinished(const absl::Status& status);
  void HandleTurnEnd();
  void StartSilence(Duration step);
  void HandleSilence(Duration step);
  void LookAgain(Duration wait);
  void LookAtTcp();
  void Become(State state);
  static absl::Status Lost(std::string_view why);
  void End(absl::Status why);

  net::EventLoop& loop_;
  std::unique_ptr<net::TcpStream> stream_;  // null in kEnded
  HelloListener& listener_;
  tunnel::Path::Delegate* delegate_;
  const Times times_;
  State state_ = State::kOpening;
  net::TurnEnd turn_end_;
  net::Timer timer_;  // for the Hello, then for silence
  net::Timer look_;   // at what TCP has not got through
  FrameReader reader_;
  bool reading_ = false;
  std::optional<tunnel::Message> held_;  // while reading is off
  bool* gone_ = nullptr;                 // in Drain: set by the destructor

  std::vector<Bytes> gathered_;  // not handed to the stream yet
  size_t gathered_bytes_ = 0;
  size_t unwritten_ = 0;  // those, and what the stream holds
  Sent sent_ = Sent::kNothing;
  size_t early_bytes_ = 0;   // of the first message, which is out and was not sent yet
  Pong pong_ = Pong::kNone;  // at most one waits, however many Pings come
  Pong gathered_pong_ = Pong::kNone;

  bool idle_ = false;
  MonotonicTime heard_at_;
  MonotonicTime silent_from_;  // what `silence_` counts from
  Duration silence_{};
  Duration busy_silence_{};  // since it was idle last
  bool told_doubt_ = false;
  std::optional<MonotonicTime> stalled_since_;
};

}  // namespace culvert::stitch
