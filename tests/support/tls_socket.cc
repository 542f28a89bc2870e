#include "tests/support/tls_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>

#include "base/status.h"
#include "tests/support/tls_pair.h"

namespace culvert::crypto {
namespace {

// How many of the bytes are whole records: what a message of the tunnel would have held.
size_t WholeRecords(std::string_view bytes) {
  constexpr size_t kHeader = 5;
  size_t whole = 0;
  while (bytes.size() >= whole + kHeader) {
    const size_t length = size_t{static_cast<uint8_t>(bytes[whole + 3])} << 8 |
                          static_cast<uint8_t>(bytes[whole + 4]);
    if (bytes.size() < whole + kHeader + length) break;
    whole += kHeader + length;
  }
  return whole;
}

absl::Status Failed(std::string_view what) {
  return absl::UnavailableError(fmt::format("{}: {}", what, std::strerror(errno)));
}

}  // namespace

TlsSocket::~TlsSocket() { close(fd_); }

absl::StatusOr<std::unique_ptr<TlsSocket>> TlsSocket::Connect(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Failed("socket");
  auto made = std::make_unique<TlsSocket>(fd);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return Failed("connect");
  return made;
}

absl::Status TlsSocket::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return Failed("send");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> TlsSocket::Read() {
  std::array<char, 65536> buffer;
  const ssize_t got = recv(fd_, buffer.data(), buffer.size(), 0);
  if (got < 0) return Failed("receive");
  if (got == 0) return absl::UnavailableError("the peer hung up");
  return std::string(buffer.data(), static_cast<size_t>(got));
}

absl::Status TlsSocket::Handshake(const std::shared_ptr<const TlsContext>& context,
                                  std::shared_ptr<const TlsSession> session) {
  TlsEngine engine(context, WholeNow(), std::move(session));
  while (true) {
    const auto progress = engine.Handshake();
    CULVERT_RETURN_IF_ERROR(Write(engine.TakeOutput()));
    CULVERT_RETURN_IF_ERROR(progress.status());
    if (*progress == TlsEngine::Progress::kDone) break;
    CULVERT_ASSIGN_OR_RETURN(const std::string bytes, Read());
    CULVERT_RETURN_IF_ERROR(engine.Feed(bytes));
  }
  secured_ = engine.TakeSecured();
  received_ = std::move(secured_->rest);
  return absl::OkStatus();
}

absl::Status TlsSocket::Send(std::string_view plaintext) {
  CULVERT_ASSIGN_OR_RETURN(const Bytes sealed, secured_->records->Seal(plaintext));
  return Write(sealed.view());
}

absl::Status TlsSocket::SendCloseNotify() {
  CULVERT_ASSIGN_OR_RETURN(const Bytes sealed, secured_->records->SealCloseNotify());
  return Write(sealed.view());
}

absl::StatusOr<OpenedMessage> TlsSocket::Receive() {
  size_t whole = WholeRecords(received_);
  while (whole == 0) {
    CULVERT_ASSIGN_OR_RETURN(const std::string bytes, Read());
    received_ += bytes;
    whole = WholeRecords(received_);
  }
  const std::string message = received_.substr(0, whole);
  received_.erase(0, whole);
  return secured_->records->Open(message);
}

}  // namespace culvert::crypto
