// A socket of a TLS server: the handshake, then the bytes inside.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "crypto/tls_engine.h"
#include "net/byte_stream.h"
#include "net/deferred.h"
#include "net/worker_queue.h"

namespace culvert::web {

// What is under the records of a connection. Confined to the loop. A direction that ends without
// close_notify is broken: it may have been cut.
class TlsStream final : public net::ByteStream, private net::ByteStream::Delegate {
 public:
  TlsStream(net::EventLoop& loop, std::unique_ptr<net::ByteStream> socket,
            crypto::TlsSecured secured);
  ~TlsStream() override;

  void SetDelegate(net::ByteStream::Delegate* delegate) override { delegate_ = delegate; }
  void SetReading(bool on) override;
  void Write(Bytes bytes, Completion done) override;
  void FinishWriting(Completion done) override;
  void SetResetOnClose(bool on) override { socket_->SetResetOnClose(on); }
  std::string PeerName() const override { return socket_->PeerName(); }

 private:
  void OnBytes(Bytes bytes) override;
  void OnEnd() override;
  void OnBroken(absl::Status why) override;
  // Opens what is there, while it is wanted, or tells how it ended.
  void Open();
  absl::Status OpenRecords();
  void TellEnd();
  void Break(absl::Status why);

  std::unique_ptr<net::ByteStream> socket_;
  const std::unique_ptr<crypto::TlsRecords> records_;
  net::ByteStream::Delegate* delegate_ = nullptr;
  std::string sealed_;  // bytes of records that are not opened
  enum class Input { kPaused, kReading, kEnded, kBroken };
  Input input_ = Input::kPaused;
  absl::Status broken_;  // why
  net::Deferred open_;
};

// The handshake of one connection, on a worker. Confined to the loop; destroy = cancel, and the
// socket is closed.
class TlsGreeting final : private net::ByteStream::Delegate {
 public:
  struct Greeted {
    std::unique_ptr<net::ByteStream> stream;
    std::string certificate;  // PEM, of the client; empty if it showed none
  };
  // Once, in a later turn; may destroy the greeting.
  using OnDone = absl::AnyInvocable<void(absl::StatusOr<Greeted>) &&>;

  TlsGreeting(net::WorkerQueue& workers, std::unique_ptr<net::ByteStream> socket,
              std::shared_ptr<const crypto::TlsContext> context, OnDone on_done);
  ~TlsGreeting();

 private:
  struct Step;
  void OnBytes(Bytes bytes) override;
  void OnEnd() override;
  void OnBroken(absl::Status why) override;
  void HandleStep(const Step& step);
  void Finish(absl::StatusOr<Greeted> result);

  net::WorkerQueue& workers_;
  std::unique_ptr<net::ByteStream> socket_;
  // Shared with the thread that works on it, one at a time.
  const std::shared_ptr<crypto::TlsEngine> engine_;
  OnDone on_done_;
  std::unique_ptr<net::WorkerQueue::Job> job_;
};

}  // namespace culvert::web
