// A consumer process's own stream (culvert.v1.Control.Attach): notices for all of its channels.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/token_bucket.h"
#include "broker/principal.h"
#include "culvert/v1/control.pb.h"
#include "net/event_loop.h"
#include "rpc/stream.h"

namespace culvert::broker {

// The first message, checked.
struct AttachOpening {
  std::string project;  // "projects/default"
  std::string name;     // that the consumer gives itself
  uint64_t incarnation = 0;
  std::optional<Principal> principal = std::nullopt;  // none under --insecure. Not of the message.
};

// INVALID_ARGUMENT unless it is a Hello of a consumer with capabilities; NOT_FOUND for another
// region than the broker's own.
absl::StatusOr<AttachOpening> ParseAttachOpening(const Bytes& message, const std::string& region);

// Answers Hello, and whatever the consumer asks: there is no data port, so that there are no leases
// and no stitched channels. Reads one message at a time, the next when the answer is out. Confined
// to the control loop.
class Attachment final : private rpc::Stream::Delegate {
 public:
  class Owner {
   public:
    // The stream is over. Called once, last; the owner removes it in a later turn.
    virtual void OnDetached(Attachment& attachment, const absl::Status& why) = 0;

   protected:
    ~Owner() = default;
  };

  // What it may send: pings come every few seconds, and it has no use for more of the rest.
  static constexpr TokenRate kRequests{.per_second = 20, .burst = 200};
  // Messages that may wait for the consumer to read them.
  static constexpr size_t kMostUnread = 1'024;

  Attachment(net::EventLoop& loop, AttachOpening opening, std::unique_ptr<rpc::Stream> stream,
             Owner& owner);
  ~Attachment();

  const AttachOpening& opening() const { return opening_; }
  // A consumer that does not read loses the stream, and learns by its resumes what it has missed.
  void Tell(const culvert::v1::AttachResponse& what);
  // OnDetached is not called for it.
  void End(const absl::Status& why);

 private:
  void OnMessage(Bytes message) override;
  void OnWritten() override;
  void OnPeerFinished() override { Lose(absl::OkStatus()); }
  void OnEnd(absl::Status status) override { Lose(status); }
  absl::StatusOr<culvert::v1::AttachResponse> Answer(const Bytes& message) const;
  void Lose(const absl::Status& why);

  net::EventLoop& loop_;
  const AttachOpening opening_;
  TokenBucket requests_;
  std::unique_ptr<rpc::Stream> stream_;  // null once ended
  Owner& owner_;
};

}  // namespace culvert::broker
