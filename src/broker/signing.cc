#include "broker/signing.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/log.h"
#include "base/status.h"
#include "broker/pki.h"
#include "crypto/certificate_request.h"

namespace culvert::broker {
namespace {

using Json = nlohmann::ordered_json;
using crypto::Certificate;
using crypto::SpiffeId;
using crypto::Usage;

constexpr char kBrokerRole[] = "broker";

struct Request {
  SigningSubject subject;
  std::optional<SpiffeId> id;  // none for a broker
  crypto::PublicKey key;
};

absl::StatusOr<Json> ParseLine(std::string_view line) {
  if (line.size() > kMostSigningLine) return absl::InvalidArgumentError("too long");
  Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::InvalidArgumentError("not a JSON object");
  return json;
}

absl::StatusOr<std::string> TextIn(const Json& json, const char* field) {
  const auto found = json.find(field);
  if (found != json.end() && found->is_string()) return found->get<std::string>();
  return absl::InvalidArgumentError(fmt::format("{}: expected a text", field));
}

// A SPIFFE id of ours is written in one way only.
absl::StatusOr<SpiffeId> IdOf(const SigningSubject& subject) {
  for (const SpiffeId::Role role : {SpiffeId::Role::kAgent, SpiffeId::Role::kUser}) {
    if (subject.role != crypto::RoleName(role)) continue;
    const SpiffeId id{kTrustDomain, subject.project, role, subject.name};
    return SpiffeId::Parse(id.ToString());
  }
  return absl::InvalidArgumentError("role: expected agent, user or broker");
}

absl::StatusOr<Request> ReadRequest(std::string_view line) {
  CULVERT_ASSIGN_OR_RETURN(const Json json, ParseLine(line));
  CULVERT_ASSIGN_OR_RETURN(std::string role, TextIn(json, "role"));
  CULVERT_ASSIGN_OR_RETURN(const std::string pem, TextIn(json, "request"));
  CULVERT_ASSIGN_OR_RETURN(const std::string key_id, TextIn(json, "key"));
  CULVERT_ASSIGN_OR_RETURN(crypto::PublicKey key, crypto::ReadCertificateRequest(pem));
  if (key.id() != key_id) {
    return absl::InvalidArgumentError("key: the request is for another one");
  }
  Request request{{std::move(role)}, std::nullopt, std::move(key)};
  if (request.subject.role == kBrokerRole) return request;
  CULVERT_ASSIGN_OR_RETURN(request.subject.project, TextIn(json, "project"));
  CULVERT_ASSIGN_OR_RETURN(request.subject.name, TextIn(json, "name"));
  CULVERT_ASSIGN_OR_RETURN(request.id, IdOf(request.subject));
  return request;
}

bool Has(const std::vector<std::string>& only, const std::string& selector) {
  return std::find(only.begin(), only.end(), selector) != only.end();
}

bool IsNamed(const Request& request, const std::vector<std::string>& only) {
  return Has(only, "key:" + request.key.id());
}

bool IsWanted(const Request& request, const std::vector<std::string>& only) {
  const SigningSubject& subject = request.subject;
  return only.empty() || IsNamed(request, only) ||
         Has(only, subject.role == kBrokerRole ? subject.role : subject.role + ":" + subject.name);
}

// One who reads names more closely than keys must not sign a second key in the shadow of the first:
// the file comes from a machine that need not be trusted.
absl::Status CheckNoneTwice(const std::vector<Request>& requests,
                            const std::vector<std::string>& only) {
  std::map<std::string, std::string> keys;  // by subject
  for (const Request& request : requests) {
    if (IsNamed(request, only)) continue;
    const std::string subject = request.subject.ToString();
    const auto [first, added] = keys.emplace(subject, request.key.id());
    const bool same = first->second == request.key.id() && request.subject.role != kBrokerRole;
    if (added || same) continue;
    return absl::FailedPreconditionError(
        fmt::format("two requests are for {}, with the keys {} and {}: name the key with --only "
                    "key:KEYID",
                    subject, first->second, request.key.id()));
  }
  return absl::OkStatus();
}

std::string SignedLine(const Request& request, const Certificate& certificate) {
  const Json json = {{"role", request.subject.role},
                     {"project", request.subject.project},
                     {"name", request.subject.name},
                     {"key", request.key.id()},
                     {"expires", FormatTime(certificate.not_after())},
                     {"certificate", certificate.Pem()}};
  return json.dump() + "\n";
}

absl::StatusOr<std::vector<Request>> ReadRequests(std::string_view lines,
                                                  const std::vector<std::string>& only) {
  std::vector<Request> requests;
  int number = 0;
  const std::vector<std::string> split = absl::StrSplit(std::string(lines), '\n');
  for (const std::string& line : split) {
    ++number;
    if (line.empty()) continue;
    absl::StatusOr<Request> request = ReadRequest(line);
    if (!request.ok()) return Annotate(request.status(), fmt::format("line {}", number));
    if (IsWanted(*request, only)) requests.push_back(*std::move(request));
  }
  CULVERT_RETURN_IF_ERROR(CheckNoneTwice(requests, only));
  return requests;
}

}  // namespace

std::string SigningSubject::ToString() const {
  if (role == kBrokerRole) return "the broker";
  return fmt::format("{} {} of projects/{}", role, name, project);
}

Json SigningRequestJson(const store::SigningRequest& request) {
  return {{"role", store::RoleName(request.principal.role)},
          {"project", request.principal.project},
          {"name", request.principal.name},
          {"key", request.principal.key_id},
          {"asked", FormatTime(request.asked)},
          {"request", request.request}};
}

Json BrokerRequestJson(const std::string& key_id, const std::string& request) {
  return {{"role", kBrokerRole}, {"key", key_id}, {"request", request}};
}

absl::StatusOr<std::string> SignRequests(const crypto::CertificateAuthority& authority,
                                         std::string_view lines, const SigningOptions& options,
                                         WallTime now) {
  CULVERT_ASSIGN_OR_RETURN(const std::vector<Request> requests, ReadRequests(lines, options.only));
  std::string signed_lines;
  for (const Request& request : requests) {
    if (options.on_request) options.on_request(request.subject, request.key.id());
    const crypto::CertificateContent content =
        request.id ? PrincipalContent(*request.id, now, kCertificateLife)
                   : BrokerContent(now, kCertificateLife);
    signed_lines += SignedLine(request, authority.Issue(request.key, content));
  }
  return signed_lines;
}

absl::StatusOr<std::string> ReadSignedLine(std::string_view line) {
  CULVERT_ASSIGN_OR_RETURN(const Json json, ParseLine(line));
  return TextIn(json, "certificate");
}

absl::Status CheckSigned(const Certificate& certificate, const store::SigningRequest& request,
                         const Certificate& authority, WallTime now) {
  const store::Principal& wanted = request.principal;
  CULVERT_RETURN_IF_ERROR(certificate.CheckIssuedBy(authority, Usage::kClient, now));
  if (certificate.public_key().id() != wanted.key_id) {
    return absl::InvalidArgumentError("the certificate is for another key");
  }
  const auto& id = certificate.spiffe_id();
  if (!id || id->trust_domain != kTrustDomain ||
      !(store::Principal::From(*id, wanted.key_id) == wanted)) {
    return absl::InvalidArgumentError(
        fmt::format("the certificate is not for {}, who asked", wanted.ToString()));
  }
  if (certificate.IsFor(Usage::kServer) != (wanted.role == store::Role::kAgent)) {
    return absl::InvalidArgumentError(
        fmt::format("the certificate is not for the use of {}", wanted.ToString()));
  }
  return absl::OkStatus();
}

absl::Status CheckSignedForBroker(const Certificate& certificate, const crypto::PublicKey& key,
                                  const Certificate& authority, WallTime now) {
  CULVERT_RETURN_IF_ERROR(certificate.CheckIssuedBy(authority, Usage::kServer, now));
  if (!(certificate.public_key() == key)) {
    return absl::InvalidArgumentError("the certificate is for another key");
  }
  if (certificate.spiffe_id() || certificate.IsFor(Usage::kClient)) {
    return absl::InvalidArgumentError("the certificate is not for a broker");
  }
  return absl::OkStatus();
}

}  // namespace culvert::broker
