// An opening or a resume that goes over the control stream, for a stitched path.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "culvert/v1/control.pb.h"
#include "net/deferred.h"
#include "net/event_loop.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "rpc/stream.h"

namespace culvert {

// Looks like a Connect stream whose first message is the opening and whose first answer is the
// last: who opens channels need not know which of the two it is. Confined to the loop; destroy =
// hear no more. What was opened meanwhile ends with its parked connection.
class AttachedCall final : public rpc::Stream {
 public:
  // The control stream that carries it.
  class Line {
   public:
    virtual void SendOpening(const culvert::v1::AttachRequest& request, AttachedCall& call) = 0;
    virtual void Forget(AttachedCall& call) = 0;

   protected:
    ~Line() = default;
  };

  // `line` outlives it, or calls HandleLost before it goes.
  AttachedCall(net::EventLoop& loop, Line& line, uint64_t parked_id);
  ~AttachedCall() override;

  uint64_t parked_id() const { return parked_id_; }

  void SetDelegate(rpc::Stream::Delegate* delegate) override { delegate_ = delegate; }
  void Read() override;
  // Once: a ConnectRequest with an opening or a resume.
  void Write(rpc::Frame frame) override;
  size_t pending_writes() const override { return 0; }
  void Finish(absl::Status status) override;
  void HoldUntilDone(std::shared_ptr<void> what) override { held_ = std::move(what); }

  // The line's: what came with the parked id of this.
  void HandleAnswer(const culvert::v1::AttachResponse& response);
  // The control stream is gone.
  void HandleLost(const absl::Status& why);

 private:
  enum class State {
    kAsking,
    kAnswered,  // the answer waits to be read
    kRefused,   // the same, and then the end
    kOver,      // nothing follows; the end may be to be told
  };
  void Tell();
  void Leave();

  Line* line_;  // null once left
  const uint64_t parked_id_;
  rpc::Stream::Delegate* delegate_ = nullptr;
  State state_ = State::kAsking;
  bool reading_ = false;
  ntt::proxies::v1::ConnectResponse answer_;
  std::optional<absl::Status> end_;  // to tell
  std::shared_ptr<void> held_;
  net::Deferred tell_;
};

}  // namespace culvert
