// The TLS engine on a blocking socket of the loopback, for other implementations to talk to.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "crypto/tls_engine.h"

namespace culvert::crypto {

// Owns the descriptor. One thread.
class TlsSocket {
 public:
  explicit TlsSocket(int fd) : fd_(fd) {}
  ~TlsSocket();
  TlsSocket(const TlsSocket&) = delete;
  TlsSocket& operator=(const TlsSocket&) = delete;

  // 127.0.0.1 at `port`. UNAVAILABLE otherwise.
  static absl::StatusOr<std::unique_ptr<TlsSocket>> Connect(uint16_t port);

  absl::Status Handshake(const std::shared_ptr<const TlsContext>& context,
                         std::shared_ptr<const TlsSession> session);
  const TlsSecured& secured() const { return *secured_; }

  absl::Status Send(std::string_view plaintext);
  absl::Status SendCloseNotify();
  // What comes next: data, or an alert. UNAVAILABLE when the peer hangs up without close_notify.
  absl::StatusOr<OpenedMessage> Receive();

 private:
  absl::Status Write(std::string_view bytes);
  absl::StatusOr<std::string> Read();

  const int fd_;
  std::optional<TlsSecured> secured_;
  std::string received_;  // whole records and perhaps a part of one
};

}  // namespace culvert::crypto
