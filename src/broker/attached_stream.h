// An opening or a resume that came over a consumer's Attach stream, for a stitched path.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "culvert/v1/control.pb.h"
#include "net/deferred.h"
#include "net/event_loop.h"
#include "rpc/stream.h"

namespace culvert::broker {

// Looks like a Connect stream whose first message is the opening and whose answer is the last thing
// that it carries: the Broker treats both alike. Confined to the control loop.
class AttachedStream final : public rpc::Stream {
 public:
  // The Attach stream that carries it.
  class Line {
   public:
    virtual void SendAnswer(const culvert::v1::AttachResponse& answer) = 0;
    virtual void Forget(AttachedStream& stream) = 0;

   protected:
    ~Line() = default;
  };

  // `opening` is a ConnectRequest. `line` outlives it, or calls HandleLost before it goes.
  AttachedStream(net::EventLoop& loop, Line& line, uint64_t parked_id, Bytes opening);
  ~AttachedStream() override;

  void SetDelegate(rpc::Stream::Delegate* delegate) override;
  void Read() override;
  // A ConnectResponse. What is no answer to an opening goes nowhere: notices have the Attach
  // stream.
  void Write(rpc::Frame frame) override;
  size_t pending_writes() const override { return 0; }
  // Says no in the place of an answer that was not given.
  void Finish(absl::Status status) override;
  void HoldUntilDone(std::shared_ptr<void> what) override { held_ = std::move(what); }

  // The line's: the Attach stream is gone.
  void HandleLost();

 private:
  void Tell();
  void Answer(const culvert::v1::AttachResponse& answer);

  Line* line_;  // null once answered or lost
  const uint64_t parked_id_;
  std::optional<Bytes> opening_;  // until it was read
  bool reading_ = false;
  bool lost_ = false;  // to be told
  rpc::Stream::Delegate* delegate_ = nullptr;
  std::shared_ptr<void> held_;
  net::Deferred tell_;
};

}  // namespace culvert::broker
