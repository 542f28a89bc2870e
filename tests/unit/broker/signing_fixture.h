// A broker's store and directory without its authority's key, and the authority elsewhere.
#pragma once

#include <optional>
#include <string>

#include "broker/admin.h"
#include "broker/pki.h"
#include "broker/signing.h"
#include "broker/store_records.h"
#include "crypto/certificate_request.h"
#include "crypto/private_file.h"
#include "tests/unit/store/store_fixture.h"

namespace culvert::broker {

inline crypto::SpiffeId IdOf(crypto::SpiffeId::Role role, const std::string& name) {
  return {kTrustDomain, "default", role, name};
}

struct SigningFixture : store::StoreFixture {
  SigningFixture() {
    now = WallNow();
    REQUIRE(crypto::MakePrivateDirectory(state_dir).ok());
    REQUIRE(crypto::WritePrivateFile(state_dir + "/ca.pem", authority.certificate().Pem()).ok());
    Admin::Actions actions;
    actions.ca_fingerprint = [] { return std::string("unused"); };
    actions.audit = [this](const AuditEvent& event) { events.push_back(event); };
    actions.state_dir = state_dir;
    admin.emplace(*store, actions);
  }

  // The answer to a request for `key`.
  std::optional<crypto::Certificate> Ask(
      const crypto::SpiffeId& id, const crypto::PrivateKey& key,
      const std::optional<crypto::Certificate>& present = std::nullopt) {
    auto certificate =
        records.AwaitSigning(id, key.public_key(), crypto::MakeCertificateRequest(key), present);
    REQUIRE(certificate.ok());
    return *std::move(certificate);
  }
  std::string Requests() {
    const auto list =
        admin->Handle({{"command", "ca requests"}, {"args", Json::object()}}, {"uid 7"}, now);
    REQUIRE(list.ok());
    std::string lines;
    for (const Json& line : *list) lines += line.dump() + "\n";
    return lines;
  }
  absl::Status Import(const std::string& certificate) {
    return admin
        ->Handle({{"command", "ca import"}, {"args", {{"certificate", certificate}}}}, {"uid 7"},
                 now)
        .status();
  }
  absl::Status Import(const crypto::Certificate& certificate) { return Import(certificate.Pem()); }
  // What the authority makes of `content`, whatever was asked for.
  crypto::Certificate Make(const crypto::PublicKey& key,
                           const crypto::CertificateContent& content) const {
    return authority.Issue(key, content);
  }

  std::string state_dir = directory.path() + "/pki";
  crypto::CertificateAuthority authority = crypto::CertificateAuthority::Create(
      "elsewhere", WallNow() - std::chrono::hours(1), WallNow() + std::chrono::hours(10'000));
  StoreRecords records{*store, [this] { return now; }};
  std::vector<AuditEvent> events;
  std::optional<Admin> admin;
};

}  // namespace culvert::broker
