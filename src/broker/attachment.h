// A consumer process's own stream (culvert.v1.Control.Attach): notices for all of its channels.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/token_bucket.h"
#include "broker/attached_stream.h"
#include "broker/leases.h"
#include "broker/principal.h"
#include "culvert/v1/control.pb.h"
#include "net/event_loop.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "rpc/stream.h"
#include "rpc/stream_info.h"

namespace culvert::broker {

// The first message, checked.
struct AttachOpening {
  std::string project;  // "projects/default"
  std::string name;     // that the consumer gives itself
  uint64_t incarnation = 0;
  std::optional<Principal> principal = std::nullopt;  // none under --insecure. Not of the message.
};

// Whose the data connections of the process are.
DataOwner DataOwnerOf(const AttachOpening& opening);

// INVALID_ARGUMENT unless it is a Hello of a consumer with capabilities; NOT_FOUND for another
// region than the broker's own.
absl::StatusOr<AttachOpening> ParseAttachOpening(const Bytes& message, const std::string& region);

// Answers Hello, pings and what concerns the data port; passes openings and resumes on. Confined to
// the control loop.
class Attachment final : private rpc::Stream::Delegate, private AttachedStream::Line {
 public:
  class Owner {
   public:
    // The stream is over. Called once, last; the owner removes it in a later turn.
    virtual void OnDetached(Attachment& attachment, const absl::Status& why) = 0;
    // The consumer opens or resumes a channel: `stream` is to be treated as its Connect stream.
    virtual void OnOpening(const Attachment& attachment,
                           std::unique_ptr<AttachedStream> stream) = 0;
    // It wants so many tokens for the data port.
    virtual culvert::v1::LeaseDataResponse Lend(const Attachment& attachment, uint32_t count) = 0;
    // What the data port is; 0: there is none.
    virtual uint32_t data_port() const = 0;

   protected:
    ~Owner() = default;
  };

  // What it may send: pings come every few seconds. Openings and resumes are limited where they
  // come in, and there is a request for tokens with each at most; this is beyond what they can be.
  static constexpr TokenRate kPings{.per_second = 20, .burst = 200};
  static constexpr TokenRate kRequests{.per_second = 10'000, .burst = 20'000};
  // Messages that may wait for the consumer to read them.
  static constexpr size_t kMostUnread = 1'024;

  // `info` is the Attach stream's.
  Attachment(net::EventLoop& loop, AttachOpening opening, rpc::StreamInfo info,
             std::unique_ptr<rpc::Stream> stream, Owner& owner);
  ~Attachment();
  const rpc::StreamInfo& info() const { return info_; }
  DataOwner data_owner() const { return DataOwnerOf(opening_); }

  const AttachOpening& opening() const { return opening_; }
  // A consumer that does not read loses the stream, and learns by its resumes what it has missed.
  void Tell(const culvert::v1::AttachResponse& what);
  // `then` runs, in a later turn, when what was told is with the transport; never if the stream
  // ends before. False if it is there already, or too many wait.
  bool WhenWritten(std::function<void()> then);
  // OnDetached is not called for it.
  void End(const absl::Status& why);

 private:
  void OnMessage(Bytes message) override;
  void OnWritten() override;
  void OnPeerFinished() override { Lose(absl::OkStatus()); }
  void OnEnd(absl::Status status) override { Lose(status); }
  absl::Status Handle(const Bytes& message);
  void Open(const ntt::proxies::v1::ConnectRequest& opening, uint64_t parked_id);
  void Answer(const culvert::v1::AttachResponse& answer);
  void SendAnswer(const culvert::v1::AttachResponse& answer) override { Tell(answer); }
  void Forget(AttachedStream& stream) override { streams_.erase(&stream); }
  void LoseStreams();
  void Lose(const absl::Status& why);

  net::EventLoop& loop_;
  const AttachOpening opening_;
  const rpc::StreamInfo info_;
  TokenBucket pings_;
  TokenBucket requests_;
  std::unordered_set<AttachedStream*> streams_;      // not answered yet
  std::vector<std::function<void()>> when_written_;  // at most kMostUnread
  std::unique_ptr<rpc::Stream> stream_;              // null once ended
  Owner& owner_;
};

}  // namespace culvert::broker
