// What carries the messages of one channel for a while: a pair of gRPC streams, or a stitched
// connection.
#pragma once

#include "absl/status/status.h"
#include "base/clock.h"
#include "tunnel/message.h"

namespace culvert::tunnel {

// Confined to one loop. Reliable and in order until it ends; then it is gone for good. Destroy =
// cancel: the peer sees a lost path. No callback runs inside a call on the path.
class Path {
 public:
  class Delegate {
   public:
    virtual void OnPathMessage(Message message) = 0;
    // Everything that was sent has been taken by the transport.
    virtual void OnPathReady() = 0;
    // What was sent has not got through for a while: the network may be away.
    virtual void OnPathDoubtful() {}
    // The path is gone. OK: the peer finished it in order. ABORTED: the peer gave it up without an
    // orderly end, which is a reset. Anything else: it was lost. Called once, last.
    virtual void OnPathEnd(absl::Status why) = 0;

   protected:
    ~Delegate() = default;
  };

  virtual ~Path() = default;

  // Whether Send may be called. Turns true with OnPathReady.
  virtual bool ready() const = 0;
  virtual void Send(const Message& message) = 0;
  // Payload of one Data message that it carries best; at most kMaxDataBytes.
  virtual size_t best_payload() const { return kMaxDataBytes; }
  // Reading is off at first. A legacy peer is held by not reading.
  virtual void SetReading(bool on) = 0;
  // Nothing of this end's waits to be acknowledged: the peer may be silent for longer. At first it
  // may not. Cheap.
  virtual void SetIdle(bool /*idle*/) {}

  // For a path that is a connection of its own. Whether something came on it since then,
  // which is of the loop's clock.
  virtual bool HeardSince(MonotonicTime /*then*/) const { return false; }
  // Whether what was sent over it does not get through, as far as this end can know.
  virtual bool IsStalled() const { return false; }
  // Has the peer say something, if it is there.
  virtual void AskForAnswer() {}
  // Nothing more will be sent: ends the path in order once what was sent is out. OnPathEnd follows.
  virtual void Finish() = 0;
};

}  // namespace culvert::tunnel
