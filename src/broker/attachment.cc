#include "broker/attachment.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "base/resource_id.h"
#include "base/status.h"
#include "broker/requests.h"
#include "rpc/codec.h"
#include "tunnel/message.h"

namespace culvert::broker {
namespace {

using culvert::v1::AttachRequest;
using culvert::v1::AttachResponse;

constexpr std::string_view kProjectPrefix = "projects/";

absl::StatusOr<AttachRequest> Parse(const Bytes& message) {
  AttachRequest request;
  if (request.ParseFromArray(message.data(), static_cast<int>(message.size()))) return request;
  return absl::InvalidArgumentError("message does not parse");
}

bool IsProject(std::string_view text) {
  return text.substr(0, kProjectPrefix.size()) == kProjectPrefix &&
         IsResourceId(text.substr(kProjectPrefix.size()));
}

AttachResponse NoPath(uint64_t parked_id, uint64_t channel_id) {
  AttachResponse response;
  response.mutable_open_error()->set_parked_id(parked_id);
  auto& error = *response.mutable_open_error()->mutable_error();
  error.set_channel_id(channel_id);
  error.set_code(culvert::v1::ERROR_CODE_NO_PATH);
  error.set_message("this broker has no data port");
  return response;
}

}  // namespace

absl::StatusOr<AttachOpening> ParseAttachOpening(const Bytes& message, const std::string& region) {
  CULVERT_ASSIGN_OR_RETURN(const AttachRequest request, Parse(message));
  if (!request.has_hello()) return absl::InvalidArgumentError("the first message is not a hello");
  const auto& hello = request.hello();
  if (!IsProject(hello.project())) {
    return absl::InvalidArgumentError(
        fmt::format("project \"{}\": expected projects/ID", Printable(hello.project())));
  }
  CULVERT_RETURN_IF_ERROR(CheckConsumerName(hello.name()));
  if (!hello.region_id().empty() && hello.region_id() != region) {
    return RegionNotServed(hello.region_id());
  }
  if (!tunnel::IsCapable(hello.caps())) {
    return absl::InvalidArgumentError("only consumers with capabilities attach");
  }
  return AttachOpening{hello.project(), hello.name(), hello.incarnation()};
}

Attachment::Attachment(net::EventLoop& loop, AttachOpening opening,
                       std::unique_ptr<rpc::Stream> stream, Owner& owner)
    : loop_(loop),
      opening_(std::move(opening)),
      requests_(kRequests, loop.Now()),
      stream_(std::move(stream)),
      owner_(owner) {
  stream_->SetDelegate(this);
  AttachResponse response;
  response.mutable_attached()->set_caps(tunnel::kOwnCapabilities);
  stream_->Write(rpc::FrameOf(response));
}

Attachment::~Attachment() = default;

void Attachment::Tell(const AttachResponse& what) {
  if (stream_ == nullptr) return;
  if (stream_->pending_writes() >= kMostUnread) {
    Lose(absl::ResourceExhaustedError("consumer does not read its Attach stream"));
    return;
  }
  stream_->Write(rpc::FrameOf(what));
}

void Attachment::End(const absl::Status& why) {
  if (stream_ == nullptr) return;
  stream_->Finish(why);
  stream_.reset();
}

void Attachment::OnMessage(Bytes message) {
  if (!requests_.Take(loop_.Now())) {
    Lose(absl::ResourceExhaustedError("consumer sends too much on its Attach stream"));
    return;
  }
  const absl::StatusOr<AttachResponse> answer = Answer(message);
  if (!answer.ok()) {
    Lose(answer.status());
    return;
  }
  stream_->Write(rpc::FrameOf(*answer));  // OnWritten reads on
}

absl::StatusOr<AttachResponse> Attachment::Answer(const Bytes& message) const {
  CULVERT_ASSIGN_OR_RETURN(const AttachRequest request, Parse(message));
  AttachResponse response;
  switch (request.message_case()) {
    case AttachRequest::kPing:
      response.mutable_pong();
      return response;
    case AttachRequest::kLeaseData:
      response.mutable_lease_data();
      return response;
    case AttachRequest::kOpen:
      return NoPath(request.open().parked_id(), 0);
    case AttachRequest::kResume:
      return NoPath(request.resume().parked_id(), request.resume().channel_id());
    case AttachRequest::kHello:
    case AttachRequest::MESSAGE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("only lease_data, open, resume and ping may follow the hello");
}

void Attachment::OnWritten() { stream_->Read(); }

void Attachment::Lose(const absl::Status& why) {
  End(why);
  owner_.OnDetached(*this, why);
}

}  // namespace culvert::broker
