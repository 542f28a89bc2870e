// tls_peer: one end of TLS for the interoperability tests. Prints one line per event.
//
//   tls_peer make DIR                 an authority, an agent and a user: NAME.pem and NAME.key
//   tls_peer serve DIR [OPTION...]    accepts for ever, and sends back what it receives
//   tls_peer connect DIR PORT COUNT [OPTION...]
//                                     COUNT connections, resumed if possible; on each a line is
//                                     sent and one received
//
// OPTION: aes, chacha (only this cipher), mbedtls (its record layer).
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <charconv>
#include <fstream>
#include <sstream>
#include <vector>

#include "base/status.h"
#include "tests/support/tls_pair.h"
#include "tests/support/tls_socket.h"

namespace culvert::crypto {
namespace {

using Arguments = std::vector<std::string>;

void Say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

std::string Hex(const Secret<kExportedBytes>& secret) {
  std::string text;
  for (size_t i = 0; i < secret.size(); ++i) text += fmt::format("{:02X}", secret.data()[i]);
  return text;
}

void WriteFile(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

int Make(const std::string& dir) {
  const TlsProject project;
  const auto write = [&dir](const std::string& name, const Certificate& certificate,
                            const PrivateKey& key) {
    WriteFile(fmt::format("{}/{}.pem", dir, name), certificate.Pem());
    WriteFile(fmt::format("{}/{}.key", dir, name), key.Pem());
  };
  write("ca", project.authority.certificate(), project.authority.key());
  write("agent", project.agent.certificate, project.agent.key);
  write("user", project.user.certificate, project.user.key);
  return 0;
}

std::shared_ptr<const TlsContext> LoadContext(TlsRole role, const std::string& dir,
                                              const Arguments& options) {
  TlsOptions chosen;
  for (const std::string& option : options) {
    if (option == "aes") chosen.suites = {TlsSuite::kAes128Gcm};
    if (option == "chacha") chosen.suites = {TlsSuite::kChaCha20Poly1305};
    if (option == "mbedtls") chosen.record_layer = RecordLayer::kMbedtls;
  }
  const std::string own = dir + (role == TlsRole::kServer ? "/agent" : "/user");
  return *TlsContext::Create(role, *Certificate::FromPem(ReadFile(own + ".pem")),
                             *PrivateKey::FromPem(ReadFile(own + ".key")),
                             *Certificate::FromPem(ReadFile(dir + "/ca.pem")), chosen);
}

void SayConnected(const TlsSecured& secured) {
  const bool aes = secured.suite == TlsSuite::kAes128Gcm;
  Say(fmt::format("connected peer={} cipher={} resumed={} exported={}",
                  secured.peer->spiffe_id() ? secured.peer->spiffe_id()->ToString() : "nobody",
                  aes ? "aes" : "chacha", secured.resumed ? 1 : 0, Hex(*secured.exported)));
}

// Sends back what comes, until close_notify.
absl::Status Echo(TlsSocket& socket) {
  while (true) {
    CULVERT_ASSIGN_OR_RETURN(const OpenedMessage message, socket.Receive());
    CULVERT_RETURN_IF_ERROR(socket.Send(message.data.view()));
    if (!message.alert) continue;
    if (!message.alert->is_close_notify())
      return absl::AbortedError(AlertName(message.alert->description));
    return socket.SendCloseNotify();
  }
}

void ServeOne(int fd, const std::shared_ptr<const TlsContext>& context) {
  TlsSocket socket(fd);
  if (const absl::Status status = socket.Handshake(context, nullptr); !status.ok()) {
    Say(fmt::format("refused: {}", MessageOf(status)));
    return;
  }
  SayConnected(socket.secured());
  const absl::Status status = Echo(socket);
  Say(status.ok() ? "closed" : fmt::format("broken: {}", MessageOf(status)));
}

int Serve(const std::string& dir, const Arguments& options) {
  const auto context = LoadContext(TlsRole::kServer, dir, options);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (listener < 0 || bind(listener, any, size) != 0 || listen(listener, 16) != 0 ||
      getsockname(listener, any, &size) != 0)
    return 1;
  Say(fmt::format("port {}", ntohs(address.sin_port)));
  while (true) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return 1;
    ServeOne(fd, context);
  }
}

absl::Status ConnectOnce(const std::shared_ptr<const TlsContext>& context, uint16_t port,
                         std::shared_ptr<const TlsSession>* session) {
  CULVERT_ASSIGN_OR_RETURN(const auto socket, TlsSocket::Connect(port));
  CULVERT_RETURN_IF_ERROR(socket->Handshake(context, *session));
  SayConnected(socket->secured());
  *session = socket->secured().session;
  CULVERT_RETURN_IF_ERROR(socket->Send("drawer\n"));
  std::string answer;
  while (answer.empty() || answer.back() != '\n') {
    CULVERT_ASSIGN_OR_RETURN(const OpenedMessage message, socket->Receive());
    answer += message.data.view();
  }
  Say("answer " + answer.substr(0, answer.size() - 1));
  return socket->SendCloseNotify();
}

int Connect(const std::string& dir, uint16_t port, int count, const Arguments& options) {
  const auto context = LoadContext(TlsRole::kClient, dir, options);
  std::shared_ptr<const TlsSession> session;
  for (; count > 0; --count) {
    const absl::Status status = ConnectOnce(context, port, &session);
    if (status.ok()) continue;
    Say(fmt::format("refused: {}", MessageOf(status)));
    return 1;
  }
  return 0;
}

int Run(const Arguments& arguments) {
  const auto number = [&arguments](size_t i) {
    int value = 0;
    std::from_chars(arguments[i].data(), arguments[i].data() + arguments[i].size(), value);
    return value;
  };
  const auto options = [&arguments](size_t from) {
    return Arguments(arguments.begin() + static_cast<std::ptrdiff_t>(from), arguments.end());
  };
  const size_t count = arguments.size();
  if (count == 2 && arguments[0] == "make") return Make(arguments[1]);
  if (count >= 2 && arguments[0] == "serve") return Serve(arguments[1], options(2));
  if (count >= 4 && arguments[0] == "connect")
    return Connect(arguments[1], static_cast<uint16_t>(number(2)), number(3), options(4));
  fmt::print(stderr, "usage: tls_peer make DIR | serve DIR | connect DIR PORT COUNT\n");
  return 2;
}

}  // namespace
}  // namespace culvert::crypto

int main(int argc, char** argv) {
  return culvert::crypto::Run(std::vector<std::string>(argv + 1, argv + argc));
}
