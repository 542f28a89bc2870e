#include "broker/admin_client.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "absl/strings/match.h"
#include "base/log.h"
#include "base/status.h"
#include "broker/admin_server.h"
#include "broker/audit_file.h"
#include "broker/pki.h"
#include "config/state_owner.h"
#include "net/line_server.h"
#include "net/unix_socket.h"

namespace culvert::broker {
namespace {

// Longer than the broker gives itself.
constexpr Duration kTimeout = std::chrono::seconds(10);

// Whose broker it is.
uid_t OwnerOf(const std::string& state_dir) {
  struct stat there {};
  return stat(state_dir.c_str(), &there) == 0 ? there.st_uid : geteuid();
}

absl::StatusOr<Json> CallBroker(int fd, const Json& request) {
  const std::string line = request.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (line.size() >= AdminServer::kMaxRequestBytes) {
    return absl::InvalidArgumentError("too many arguments at once");
  }
  const absl::StatusOr<std::string> answer = net::AskLine(fd, line, AdminServer::kMaxAnswerBytes);
  if (!answer.ok()) {
    return absl::UnavailableError(
        fmt::format("the running broker: {}", MessageOf(answer.status())));
  }
  if (!answer->empty()) return ReadAdminAnswer(*answer);
  return absl::UnavailableError(
      "the running broker did not answer; its log says why if it refused");
}

// The change is made by then: that it is not on record does not undo it.
void Record(const std::string& path, const AuditEvent& event) {
  absl::StatusOr<AuditFile> file = AuditFile::Open(path);
  if (file.ok()) {
    file->Append(event.ToLine(WallNow()));
  } else {
    CULVERT_LOG(kError, "not recorded: {}", MessageOf(file.status()));
  }
}

// Makes the CA if there is none: the store is ours. Its key may be elsewhere, and then it is that
// of `ca_cert`.
absl::StatusOr<std::string> CaFingerprint(const std::string& state_dir,
                                          const std::string& ca_cert) {
  if (!ca_cert.empty()) {
    CULVERT_ASSIGN_OR_RETURN(
        const std::unique_ptr<Pki> pki,
        Pki::Open({.state_dir = state_dir, .authority_file = ca_cert}, WallNow()));
    return pki->authority().Fingerprint();
  }
  const absl::StatusOr<crypto::Certificate> authority = ReadAuthority(state_dir);
  if (authority.ok()) return authority->Fingerprint();
  if (!absl::IsNotFound(authority.status())) return authority.status();
  CULVERT_ASSIGN_OR_RETURN(const std::unique_ptr<Pki> pki, Pki::Open({state_dir}, WallNow()));
  return pki->authority().Fingerprint();
}

// What only looks makes nothing: a mistyped directory would look like one without content.
bool OnlyLooks(const Json& request) {
  const auto command = request.value("command", "");
  return absl::EndsWith(command, " list") || command == "ca requests";
}

absl::StatusOr<Json> HandleHere(Admin& admin, const std::string& state_dir, const Json& request,
                                const Administrator& who, bool is_new) {
  absl::StatusOr<Json> result = admin.Handle(request, who, WallNow());
  if (!is_new) return result;
  const std::string made = fmt::format("made a new store in {}", Printable(state_dir));
  if (!result.ok()) {
    return MakeStatus(result.status().code(),
                      fmt::format("{} ({})", MessageOf(result.status()), made));
  }
  std::fprintf(stderr, "culvert-broker: %s\n", made.c_str());
  return result;
}

absl::StatusOr<Json> CallHere(const std::string& state_dir, const std::string& audit_file,
                              const Json& request, const Administrator& who,
                              const std::string& ca_cert) {
  CULVERT_RETURN_IF_ERROR(config::ActAsOwner(state_dir));
  const bool is_new = !store::Store::IsIn(state_dir);
  if (is_new && OnlyLooks(request)) {
    return absl::NotFoundError(
        fmt::format("no store in {}: is it --state-dir's?", Printable(state_dir)));
  }
  auto store = store::Store::Open(state_dir, WallNow());
  if (absl::IsUnavailable(store.status())) {
    return absl::UnavailableError(
        fmt::format("{}, but no broker answers on {}: it is starting, stopping or stuck",
                    MessageOf(store.status()), AdminSocketPath(state_dir)));
  }
  if (!store.ok()) return store.status();
  Admin admin(
      **store,
      {[&state_dir, &ca_cert] { return CaFingerprint(state_dir, ca_cert); }, [](AdminChange) {},
       [&audit_file](const AuditEvent& event) { Record(audit_file, event); }, state_dir});
  return HandleHere(admin, state_dir, request, who, is_new);
}

}  // namespace

Administrator ThisAdministrator() { return {fmt::format("uid {}", geteuid())}; }

absl::StatusOr<Json> CallAdmin(const std::string& state_dir, const std::string& audit_file,
                               const Json& request, const Administrator& who,
                               const std::string& ca_cert) {
  const absl::StatusOr<net::UniqueFd> broker =
      net::ConnectToUnixSocket(AdminSocketPath(state_dir), kTimeout);
  if (broker.ok()) {
    CULVERT_RETURN_IF_ERROR(net::CheckServer(broker->get(), OwnerOf(state_dir)));
    return CallBroker(broker->get(), request);
  }
  if (!absl::IsNotFound(broker.status())) return broker.status();
  return CallHere(state_dir, audit_file, request, who, ca_cert);
}

}  // namespace culvert::broker
