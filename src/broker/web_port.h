// The broker's web port: where it listens, and with which certificate.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "config/broker_config.h"
#include "crypto/tls_context.h"
#include "net/listener.h"
#include "web/server.h"

namespace culvert::broker {

// The TLS of a broker's certificate as its files are now. Confined to the control loop, on which it
// blocks for a millisecond when they have changed.
class WebIdentity {
 public:
  // FAILED_PRECONDITION or what else makes the files of no use.
  static absl::StatusOr<std::unique_ptr<WebIdentity>> Open(const std::string& state_dir,
                                                           const std::string& certificate_file);

  // What was good last, where the files are not.
  std::shared_ptr<const crypto::TlsContext> context();

 private:
  // What changes with a file's content.
  struct Stamp {
    int64_t inode = 0;
    int64_t seconds = 0;
    int64_t nanoseconds = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };

  WebIdentity(std::string state_dir, std::string certificate_file)
      : state_dir_(std::move(state_dir)), certificate_file_(std::move(certificate_file)) {}
  absl::Status Load();
  Stamp Look() const;

  const std::string state_dir_;
  const std::string certificate_file_;
  Stamp stamp_;
  std::shared_ptr<const crypto::TlsContext> context_;
};

// Confined to the control loop.
class WebPort {
 public:
  // Judges a connection: OK if it may go on. What is refused is logged there.
  using Admit = absl::AnyInvocable<bool(int fd, const net::Address& peer)>;

  // `identity` outlives it; null: plain HTTP. A default address that is taken makes a warning and
  // no web port.
  static absl::StatusOr<std::unique_ptr<WebPort>> Listen(net::EventLoop& loop,
                                                         const config::BrokerConfig& config,
                                                         WebIdentity* identity, Admit admit,
                                                         web::WebCalls calls);

  // None where there is none.
  std::vector<net::Address> addresses() const;
  void Drain();

 private:
  WebPort(net::EventLoop& loop, WebIdentity* identity, Admit admit, web::WebCalls calls);
  absl::Status Bind(net::EventLoop& loop, const config::Endpoint& endpoint);

  Admit admit_;
  web::Server server_;
  std::vector<std::unique_ptr<net::FdListener>> listeners_;
};

}  // namespace culvert::broker
