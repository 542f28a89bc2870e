// One bidirectional gRPC stream of serialized messages, without gRPC's types: the seam between the
// library's threads and a loop.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/bytes.h"

namespace culvert::rpc {

// A serialized message in two parts, so that a payload goes to the transport without being copied.
struct Frame {
  std::string head;
  Bytes body;
};

// Confined to one loop. Destroy = cancel: the peer sees CANCELLED, no callback runs any more. No
// callback runs inside a call. May be destroyed inside a callback.
class Stream {
 public:
  class Delegate {
   public:
    // The answer to one Read().
    virtual void OnMessage(Bytes message) = 0;
    // All frames that were written have been taken by the transport.
    virtual void OnWritten() = 0;
    // Server side only: the client has finished writing (half-close). No message follows.
    virtual void OnPeerFinished() {}
    // The stream is over: the RPC's status at the client; at the server, CANCELLED when the client
    // or the connection went away. Called at most once, last; not after the server's own Finish.
    virtual void OnEnd(absl::Status status) = 0;

   protected:
    ~Delegate() = default;
  };

  virtual ~Stream() = default;

  // Once, before anything else; the delegate outlives the stream.
  virtual void SetDelegate(Delegate* delegate) = 0;
  // Asks for one message. At most one Read is outstanding; a second one is ignored. A client's
  // stream that the server has ended delivers what is left without being asked: at most what gRPC
  // reads ahead.
  virtual void Read() = 0;
  // Frames go out in order, one in flight. The caller bounds what it queues.
  virtual void Write(Frame frame) = 0;
  // Frames not yet taken by the transport.
  virtual size_t pending_writes() const = 0;
  // Client: finishes writing after the queued frames; the server ends the RPC. Server: ends the RPC
  // with `status` after the queued frames.
  virtual void Finish(absl::Status status) = 0;
  // Client side: finishes writing as Finish does, and reading stays as it was, a message for each
  // Read. For what the server streams; the status comes once all of it was read.
  virtual void HalfClose() {}
  // Keeps `what` until gRPC holds nothing of the stream any more, which may be long after Finish
  // and the destructor: limits count it until then. Destroyed on the loop. Once.
  virtual void HoldUntilDone(std::shared_ptr<void> what) = 0;
  // Client side, once a message has come: the address that the stream leads to, without the port.
  // Empty if that is not known.
  virtual std::string PeerAddress() const { return {}; }
};

}  // namespace culvert::rpc
