#include "broker/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/resource_id.h"
#include "base/status.h"
#include "base/target.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "rpc/codec.h"

namespace culvert::broker {
namespace {

namespace pb = ntt::proxies::v1;
using Version = rpc::StreamInfo::Version;

constexpr size_t kMaxServices = 64;  // of a provider, that are remembered

// Names of consumers may be addresses like "alice@laptop".
bool IsPrintableName(std::string_view name) {
  return name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

absl::Status Bad(std::string_view field, std::string_view value, std::string_view expected) {
  return absl::InvalidArgumentError(
      fmt::format("{} \"{}\": expected {}", field, Printable(value), expected));
}

template <typename Request>
absl::StatusOr<ProviderKey> KeyOf(Version version, const Request& request, const std::string& name,
                                  const std::string& own_region) {
  const std::string& project = request.project();
  if (project.compare(0, kProjectPrefix.size(), kProjectPrefix) != 0 ||
      !IsResourceId(std::string_view(project).substr(kProjectPrefix.size()))) {
    return Bad("project", project, "projects/ID");
  }
  if (!IsResourceId(name))
    return Bad("provider name", name, "letters, digits, '_', '.' and '-', at most 128");
  const std::string& region = request.region_id().empty() ? own_region : request.region_id();
  if (!region.empty() && !IsResourceId(region))
    return Bad("region", region, "the name of a region");
  // v1alpha2 has no service domain: what stands in that field is unknown to it.
  const std::string domain = version == Version::kV1 ? request.service_domain() : "";
  if (!domain.empty() && !IsResourceId(domain))
    return Bad("service domain", domain, "a domain name");
  return ProviderKey{project, region, domain, name};
}

// The same for what is of use only in the broker's own region.
template <typename Request>
absl::StatusOr<ProviderKey> LocalKeyOf(Version version, const Request& request,
                                       const std::string& name, const std::string& own_region) {
  CULVERT_ASSIGN_OR_RETURN(ProviderKey key, KeyOf(version, request, name, own_region));
  if (key.region != own_region) return RegionNotServed(key.region);
  return key;
}

absl::Status CheckTarget(const OpenChannel& open) {
  if (open.service != "tcp") return absl::OkStatus();
  return Annotate(ParseTarget(open.arg).status(), "arg of tcp");
}

absl::StatusOr<OpenChannel> ReadOpen(Version version,
                                     const pb::ConnectRequest::OpenRequest& request,
                                     const std::string& region) {
  OpenChannel open;
  CULVERT_ASSIGN_OR_RETURN(open.provider, KeyOf(version, request, request.provider_name(), region));
  CULVERT_RETURN_IF_ERROR(CheckConsumerName(request.name()));
  if (!IsResourceId(request.service()))
    return Bad("service", request.service(), "the name of a service");
  if (request.arg().size() > kMaxArgBytes) {
    return absl::InvalidArgumentError(
        fmt::format("arg of {} bytes: at most {}", request.arg().size(), kMaxArgBytes));
  }
  open.consumer = request.name();
  open.service = request.service();
  open.arg = request.arg();
  open.capabilities = request.caps();
  open.window = request.window();
  open.resume_timeout_s = request.resume_timeout_s();
  open.end_to_end = request.e2e();
  open.parked_id = request.parked_id();
  // v1alpha2 has no such field.
  open.return_not_available = version == Version::kV1 && request.return_not_available();
  CULVERT_RETURN_IF_ERROR(CheckTarget(open));
  return open;
}

absl::Status CheckTicket(const std::string& ticket) {
  if (ticket.size() <= kMaxTicketBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("ticket of {} bytes: at most {}", ticket.size(), kMaxTicketBytes));
}

absl::StatusOr<ResumeChannel> ReadResume(Version version,
                                         const pb::ConnectRequest::ResumeRequest& request,
                                         const std::string& region) {
  ResumeChannel resume;
  CULVERT_ASSIGN_OR_RETURN(resume.provider,
                           LocalKeyOf(version, request, request.provider_name(), region));
  CULVERT_RETURN_IF_ERROR(CheckConsumerName(request.name()));
  CULVERT_RETURN_IF_ERROR(CheckTicket(request.ticket()));
  resume.consumer = request.name();
  resume.session_id = request.session_id();
  resume.channel_id = request.channel_id();
  resume.last_message_id = request.last_message_id();
  resume.capabilities = request.caps();
  resume.ticket = request.ticket();
  resume.attempt = request.attempt();
  resume.window = request.window();
  resume.parked_id = request.parked_id();
  resume.return_not_available = version == Version::kV1 && request.return_not_available();
  return resume;
}

template <typename Proto>
absl::StatusOr<Proto> ParseControl(rpc::EnvelopeType type, const Bytes& message) {
  CULVERT_ASSIGN_OR_RETURN(const rpc::Envelope envelope, rpc::ParseEnvelope(type, message));
  if (envelope.kind != rpc::Kind::kControl) {
    return absl::InvalidArgumentError("the first message must be open_request or resume_request");
  }
  Proto proto;
  if (!proto.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return absl::InvalidArgumentError("message does not parse");
  }
  return proto;
}

absl::Status NotAnOpening() {
  return absl::InvalidArgumentError("the first message must be open_request or resume_request");
}

// For people who ask what an agent offers: what is no name of a service is left out.
template <typename Request>
std::vector<std::string> ServicesOf(const Request& open) {
  std::vector<std::string> services;
  for (const std::string& service : open.services()) {
    if (services.size() == kMaxServices) break;
    if (IsResourceId(service)) services.push_back(service);
  }
  return services;
}

// What both forms have.
template <typename Request>
absl::StatusOr<AcceptChannel> ReadAccept(Version version, const Request& request,
                                         const std::string& region) {
  AcceptChannel accept;
  CULVERT_ASSIGN_OR_RETURN(accept.provider, LocalKeyOf(version, request, request.name(), region));
  accept.session_id = request.session_id();
  accept.channel_id = request.channel_id();
  accept.capabilities = request.caps();
  accept.window = request.window();
  accept.end_to_end = request.e2e();
  accept.resume_timeout_s = request.resume_timeout_s();
  accept.attempt = request.attempt();
  return accept;
}

}  // namespace

absl::Status CheckConsumerName(const std::string& name) {
  if (IsPrintableName(name)) return absl::OkStatus();
  return Bad("name", name, "at most 128 printable characters");
}

rpc::Frame NotAvailableLocally() {
  pb::ConnectResponse response;
  response.mutable_not_available_locally();
  return rpc::FrameOf(response);
}

absl::Status RegionNotServed(const std::string& region) {
  return absl::NotFoundError(fmt::format("region \"{}\" is not served here", Printable(region)));
}

absl::StatusOr<ConnectOpening> ParseConnectOpening(Version version, const Bytes& message,
                                                   const std::string& region) {
  CULVERT_ASSIGN_OR_RETURN(const auto request, ParseControl<pb::ConnectRequest>(
                                                   rpc::EnvelopeType::kConnectRequest, message));
  if (request.has_open_request()) {
    CULVERT_ASSIGN_OR_RETURN(OpenChannel open, ReadOpen(version, request.open_request(), region));
    return ConnectOpening(std::move(open));
  }
  if (!request.has_resume_request()) return NotAnOpening();
  CULVERT_ASSIGN_OR_RETURN(ResumeChannel resume,
                           ReadResume(version, request.resume_request(), region));
  return ConnectOpening(std::move(resume));
}

absl::StatusOr<OpenSession> ParseListenOpening(Version version, const Bytes& message,
                                               const std::string& region) {
  CULVERT_ASSIGN_OR_RETURN(const auto request, ParseControl<pb::ListenRequest>(
                                                   rpc::EnvelopeType::kListenRequest, message));
  if (request.has_open_request()) {
    const auto& open = request.open_request();
    CULVERT_ASSIGN_OR_RETURN(ProviderKey key, LocalKeyOf(version, open, open.name(), region));
    return OpenSession{std::move(key), open.caps(), open.incarnation(), ServicesOf(open)};
  }
  if (!request.has_resume_request()) return NotAnOpening();
  const auto& resume = request.resume_request();
  CULVERT_ASSIGN_OR_RETURN(ProviderKey key, LocalKeyOf(version, resume, resume.name(), region));
  CULVERT_RETURN_IF_ERROR(CheckTicket(resume.session_ticket()));
  return OpenSession{std::move(key), resume.caps(), resume.incarnation(), ServicesOf(resume),
                     EarlierSession{resume.session_id(), resume.session_ticket()}};
}

absl::StatusOr<AcceptChannel> ParseAcceptOpening(Version version, const Bytes& message,
                                                 const std::string& region) {
  CULVERT_ASSIGN_OR_RETURN(const auto request, ParseControl<pb::AcceptRequest>(
                                                   rpc::EnvelopeType::kAcceptRequest, message));
  if (request.has_open_request()) return ReadAccept(version, request.open_request(), region);
  if (!request.has_resume_request()) return NotAnOpening();
  const auto& resume = request.resume_request();
  CULVERT_ASSIGN_OR_RETURN(AcceptChannel accept, ReadAccept(version, resume, region));
  accept.resume_after = resume.last_message_id();
  return accept;
}

}  // namespace culvert::broker
