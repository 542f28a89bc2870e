// A TLS handshake over the messages of a channel, what is long of its computing on threads.
#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "crypto/tls_engine.h"
#include "net/deferred.h"
#include "net/worker_queue.h"

namespace culvert {

// Confined to the loop; destroy = cancel.
class TlsHandshake {
 public:
  using Send = absl::AnyInvocable<void(Bytes)>;
  using OnDone = absl::AnyInvocable<void(absl::StatusOr<crypto::TlsSecured>) &&>;

  // `send` takes what is to go to the peer. `on_done` runs once and may destroy the handshake.
  // Neither is called inside a call. A server waits for bytes, a client begins by itself.
  TlsHandshake(net::WorkerQueue& workers, const std::shared_ptr<const crypto::TlsContext>& context,
               std::shared_ptr<const crypto::TlsSession> session, Send send, OnDone on_done);
  // Goes on with a client's whose first output is on its way.
  TlsHandshake(net::WorkerQueue& workers, std::shared_ptr<crypto::TlsEngine> begun, Send send,
               OnDone on_done);
  ~TlsHandshake();

  // A message of the peer, in order. What comes after the last of the handshake is in
  // TlsSecured::rest.
  void Take(const Bytes& message);

 private:
  struct Step;
  void RunIfIdle();
  void Run();
  void RunOnThread(const std::shared_ptr<Step>& step);
  void HandleStep(const Step& step);

  net::WorkerQueue& workers_;
  // Shared with the thread that works on it, one at a time.
  const std::shared_ptr<crypto::TlsEngine> engine_;
  std::string incoming_;
  Send send_;
  OnDone on_done_;
  enum class Kind { kUnknown, kFull };
  Kind kind_ = Kind::kUnknown;                  // what is not full is done on the loop
  std::unique_ptr<net::WorkerQueue::Job> job_;  // while a thread has the engine
  net::Deferred run_;
};

}  // namespace culvert
