// What an application attaches to its end of a channel.
#pragma once

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "culvert/bytes.h"

namespace culvert {

// One direction's worth of news from the application.
struct Chunk {
  enum class Kind {
    kBytes,        // bytes for the other end; not empty
    kEndOfStream,  // after `bytes`, this end has finished its direction (FIN); the other one goes
                   // on
    kClose,        // after `bytes`, this end is done with both directions
  };
  Kind kind = Kind::kBytes;
  Bytes bytes;

  static Chunk Data(Bytes bytes) { return {Kind::kBytes, std::move(bytes)}; }
  static Chunk EndOfStream() { return {Kind::kEndOfStream, Bytes()}; }
  static Chunk Close() { return {Kind::kClose, Bytes()}; }
};

// Hears of an endpoint's Break and Finish. Internal to the SDK.
class EndpointListener {
 public:
  // `why` is OK for Finish. Loop thread; may come inside a call to the endpoint.
  virtual void OnEndpointStop(absl::Status why) = 0;

 protected:
  ~EndpointListener() = default;
};

// Base of Service (the provider's end) and Outlet (the consumer's end). All functions are called on
// the loop thread of the Client and must not block. The callbacks that they are given belong to
// that thread too; they may be called inside the function or later, and are ignored once the
// channel is over. A channel owns its endpoint and destroys it after Close, in a later turn. Only a
// Service whose channel was never opened is destroyed without Close: its Start failed, whoever
// asked for it went away first, or the Provider did. None of these functions may destroy the
// Client, Provider or Consumer that called it.
class Endpoint {
 public:
  using TakenCallback = absl::AnyInvocable<void(absl::Status) &&>;
  using ReceivedCallback = absl::AnyInvocable<void(absl::StatusOr<Chunk>) &&>;

  virtual ~Endpoint() = default;

  // Bytes from the other end, one message at a time and in order. `taken` with OK is what lets the
  // other end send more, so call it when the bytes are really used. An error aborts the channel, at
  // both ends, with ErrorCodeOf(error).
  virtual void Send(Bytes bytes, TakenCallback taken) = 0;

  // The other end has finished its direction (FIN, RFC 9293 section 3.6); every byte of it has been
  // taken. An endpoint that has more to say then (a half-close) overrides this; by default it ends
  // this end too.
  virtual void SendEnd(TakenCallback taken) {
    std::move(taken)(absl::OkStatus());
    Finish();
  }

  // Asks for the next bytes for the other end; answered once, whenever there are some. Not called
  // while an answer is outstanding, while the other end does not keep up, or after an end.
  virtual void Recv(ReceivedCallback received) = 0;

  // How many bytes the next answer to Recv may best have: what can be sent at once. Comes before a
  // Recv, and only when it has changed; an endpoint may leave it at that.
  virtual void SetChunkSize(size_t /*bytes*/) {}

  // The channel is over: OK when both directions ended in order, otherwise why it was aborted (the
  // other end's reasons too; ErrorCodeOf tells which). The last call.
  virtual void Close(const absl::Status& why) = 0;

 protected:
  // Aborts the channel from outside of a callback: the application's side broke. `why` is not OK. A
  // channel that is not open yet is not opened. Loop thread.
  void Break(absl::Status why) {
    if (listener_ != nullptr) listener_->OnEndpointStop(std::move(why));
  }
  // Ends the channel in order from outside of a callback, as if Recv were answered with
  // Chunk::Close(). Loop thread.
  void Finish() {
    if (listener_ != nullptr) listener_->OnEndpointStop(absl::OkStatus());
  }

 private:
  friend class EndpointAttachment;
  EndpointListener* listener_ = nullptr;
};

// The provider's end: one per channel, made by a ServiceFactory.
class Service : public Endpoint {
 public:
  // Before anything else. OK opens the channel; an error refuses it, with ErrorCodeOf(error).
  virtual void Start(TakenCallback started) { std::move(started)(absl::OkStatus()); }
};

// The consumer's end.
class Outlet : public Endpoint {
 public:
  // The channel is open: Recv follows. Not called when the opening fails: then Close says why.
  virtual void Opened() {}
};

}  // namespace culvert
