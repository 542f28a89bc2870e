// A connected byte stream as the tunnel's ends see it: a TCP socket, or stdin and stdout.
#pragma once

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/bytes.h"

namespace culvert::net {

// Confined to one loop. Destroy = cancel: after the destructor no callback runs, and the socket is
// closed (by a reset while `ResetOnClose` holds). No callback runs inside a call on the stream.
class ByteStream {
 public:
  class Delegate {
   public:
    // Only while reading. Never empty, at most kMaxRead bytes or what SetReadSize says. May destroy
    // the stream.
    virtual void OnBytes(Bytes bytes) = 0;
    // The peer finished its direction (FIN). Reading has stopped. May destroy the stream.
    virtual void OnEnd() = 0;
    // The stream is broken (reset, …), noticed also while not reading. Called at most once, nothing
    // is called after it. ABORTED for a reset by the peer. May destroy the stream.
    virtual void OnBroken(absl::Status why) = 0;

   protected:
    ~Delegate() = default;
  };

  // Most bytes of one OnBytes, unless SetReadSize says otherwise.
  static constexpr size_t kMaxRead = size_t{64} * 1024;
  // The most that SetReadSize takes: one message of 256 KiB, or several smaller ones, and their
  // headers on a stitched path.
  static constexpr size_t kMostReadSize = size_t{256} * 1024 + 64;

  using Completion = absl::AnyInvocable<void(absl::Status) &&>;

  virtual ~ByteStream() = default;

  // Before anything else, and later to hand the stream over: the delegate outlives the stream, or
  // its handing over. Who takes a broken stream over hears so too. Completions stay with whom they
  // belong to.
  virtual void SetDelegate(Delegate* delegate) = 0;
  // Reading is off at first. One read of at most kMaxRead bytes per loop turn, or see SetReadSize.
  virtual void SetReading(bool on) = 0;
  // From the next read on at most `bytes` (1 to kMostReadSize) a turn, where the stream has such a
  // thing. Beyond kMaxRead, what is read stays in the buffer that it was read into if it fills half
  // of it; it is copied otherwise, so that a few bytes do not hold a large buffer.
  virtual void SetReadSize(size_t /*bytes*/) {}
  // `done` runs once the kernel took all bytes or the stream broke; never after the destructor.
  // Writes keep their order. No limit of its own: the caller bounds what it hands over.
  virtual void Write(Bytes bytes, Completion done) = 0;
  // Ends our direction (FIN) after all writes before it; `done` as for Write.
  virtual void FinishWriting(Completion done) = 0;
  // While true (the default is false) closing sends RST and loses unsent bytes, also when the
  // process is killed: SO_LINGER {1, 0}. No effect where the stream has no such thing.
  virtual void SetResetOnClose(bool on) = 0;
  // "127.0.0.1:40022", for logs.
  virtual std::string PeerName() const = 0;
};

}  // namespace culvert::net
