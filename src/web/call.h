// One call of a client: the broker's stream on one side, HTTP or a WebSocket on the other.
#pragma once

#include <memory>

#include "net/deferred.h"
#include "net/event_loop.h"
#include "rpc/stream.h"

namespace culvert::web {

// What the kinds of calls have in common. Confined to the loop; owned by the connection, which may
// destroy it at any time: the broker's stream then does nothing any more.
class Call {
 public:
  virtual ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // The broker's end. Once.
  std::unique_ptr<rpc::Stream> MakeStream();
  // The client is gone. The broker hears so, unless the call was over.
  void EndByPeer();

 protected:
  explicit Call(net::EventLoop& loop);

  bool is_open() const { return state_ == State::kOpen; }
  // A Read that was not answered yet.
  bool is_read_wanted() const { return read_wanted_; }
  // In a later turn asks for what is to be delivered: Deliver().
  void DeliverLater() { deliver_.Schedule(); }
  void DeliverMessage(Bytes message);
  void DeliverEndOfInput();
  // For each frame that the transport took.
  void HandleWritten();
  // As EndByPeer, with another reason.
  void EndBy(const absl::Status& why);

 private:
  class End;
  enum class State {
    kOpen,
    kFinished,  // by the broker
    kGone,      // the client
  };

  // Read() was called, or DeliverLater().
  virtual void Deliver() = 0;
  virtual void Send(rpc::Frame frame) = 0;
  // The broker is done, after what was sent.
  virtual void SendEnd(const absl::Status& status) = 0;

  void Finish(const absl::Status& status);
  // The broker has let the stream go.
  void Drop();

  rpc::Stream::Delegate* delegate_ = nullptr;
  End* end_ = nullptr;  // the broker's, while it is there
  std::shared_ptr<void> held_;
  State state_ = State::kOpen;
  bool read_wanted_ = false;
  size_t pending_writes_ = 0;
  net::Deferred deliver_;
  net::Deferred written_;
};

}  // namespace culvert::web
