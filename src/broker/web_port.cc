#include "broker/web_port.h"

#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/pki.h"
#include "broker/server_files.h"

namespace culvert::broker {

using WebKind = config::WebChoice::Kind;

absl::StatusOr<std::unique_ptr<WebIdentity>> WebIdentity::Open(
    const std::string& state_dir, const std::string& certificate_file) {
  std::unique_ptr<WebIdentity> identity(new WebIdentity(state_dir, certificate_file));
  CULVERT_RETURN_IF_ERROR(identity->Load());
  return identity;
}

WebIdentity::Stamp WebIdentity::Look() const {
  struct stat status {};
  if (stat(certificate_file_.c_str(), &status) != 0) return {};
  return {static_cast<int64_t>(status.st_ino), status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

std::shared_ptr<const crypto::TlsContext> WebIdentity::context() {
  if (Look() != stamp_) {
    if (const absl::Status loaded = Load(); !loaded.ok()) {
      CULVERT_LOG(kWarning, "web: the certificate stays the one before: {}", MessageOf(loaded));
    }
  }
  return context_;
}

absl::Status WebIdentity::Load() {
  stamp_ = Look();
  CULVERT_ASSIGN_OR_RETURN(const crypto::Certificate authority, ReadAuthority(state_dir_));
  CULVERT_ASSIGN_OR_RETURN(const crypto::PrivateKey key, ReadServerKey(state_dir_));
  const auto own =
      FindServerCertificate(state_dir_, key, authority, std::chrono::system_clock::now());
  if (!own) return absl::FailedPreconditionError("the broker has no certificate that is good now");
  crypto::TlsOptions options;
  options.any_client = true;  // the gate judges each call
  CULVERT_ASSIGN_OR_RETURN(context_, crypto::TlsContext::Create(crypto::TlsRole::kServer, *own, key,
                                                                authority, options));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<WebPort>> WebPort::Listen(net::EventLoop& loop,
                                                         const config::BrokerConfig& config,
                                                         WebIdentity* identity, Admit admit,
                                                         web::WebCalls calls) {
  std::unique_ptr<WebPort> port(new WebPort(loop, identity, std::move(admit), std::move(calls)));
  if (config.web.kind == WebKind::kNone) return port;
  if (config.web.kind == WebKind::kAddress) {
    CULVERT_RETURN_IF_ERROR(Annotate(port->Bind(loop, config.web.address), "web"));
    return port;
  }
  // Beside others on this machine nobody minds where it is.
  const bool chosen = config.listen.front().port == 0;
  const config::Endpoint endpoint{"127.0.0.1", chosen ? uint16_t{0} : config::kWebPort};
  if (const absl::Status bound = port->Bind(loop, endpoint); !bound.ok()) {
    CULVERT_LOG(kWarning, "no web port: {}; --web ADDR:PORT names another, --web off none",
                MessageOf(bound));
  }
  return port;
}

WebPort::WebPort(net::EventLoop& loop, WebIdentity* identity, Admit admit, web::WebCalls calls)
    : admit_(std::move(admit)),
      server_(loop, std::move(calls), [identity]() -> std::shared_ptr<const crypto::TlsContext> {
        return identity != nullptr ? identity->context() : nullptr;
      }) {}

absl::Status WebPort::Bind(net::EventLoop& loop, const config::Endpoint& endpoint) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<net::Address> addresses,
                           config::BindAddresses(endpoint));
  for (const net::Address& address : addresses) {
    CULVERT_ASSIGN_OR_RETURN(
        listeners_.emplace_back(),
        net::FdListener::Bind(loop, address, [this](int fd, net::Address peer) {
          if (admit_(fd, peer)) {
            server_.Adopt(fd, peer);
          } else {
            close(fd);
          }
        }));
  }
  return absl::OkStatus();
}

std::vector<net::Address> WebPort::addresses() const {
  std::vector<net::Address> addresses;
  for (const auto& listener : listeners_) addresses.push_back(listener->address());
  return addresses;
}

void WebPort::Drain() {
  listeners_.clear();
  server_.Drain();
}

}  // namespace culvert::broker
