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

absl::StatusOr<AttachRequest> Parse(const Bytes& message) {
  AttachRequest request;
  if (request.ParseFromArray(message.data(), static_cast<int>(message.size()))) return request;
  return absl::InvalidArgumentError("message does not parse");
}

bool IsProject(std::string_view text) {
  return text.substr(0, kProjectPrefix.size()) == kProjectPrefix &&
         IsResourceId(text.substr(kProjectPrefix.size()));
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

DataOwner DataOwnerOf(const AttachOpening& opening) {
  return {
      opening.principal ? opening.principal->id.ToString() : opening.project + "/" + opening.name,
      DataOwner::Role::kConsumer, opening.incarnation};
}

Attachment::Attachment(net::EventLoop& loop, AttachOpening opening, rpc::StreamInfo info,
                       std::unique_ptr<rpc::Stream> stream, Owner& owner)
    : loop_(loop),
      opening_(std::move(opening)),
      info_(std::move(info)),
      pings_(kPings, loop.Now()),
      requests_(kRequests, loop.Now()),
      stream_(std::move(stream)),
      owner_(owner) {
  stream_->SetDelegate(this);
  AttachResponse response;
  response.mutable_attached()->set_caps(OfferedCapabilities(owner_.data_port()));
  response.mutable_attached()->set_data_port(owner_.data_port());
  stream_->Write(rpc::FrameOf(response));
}

Attachment::~Attachment() { LoseStreams(); }

bool Attachment::WhenWritten(std::function<void()> then) {
  if (stream_ == nullptr || stream_->pending_writes() == 0) return false;
  if (when_written_.size() >= kMostUnread) return false;
  when_written_.push_back(std::move(then));
  return true;
}

// Openings that are under way end with the stream; channels do not.
void Attachment::LoseStreams() {
  for (AttachedStream* const stream : std::exchange(streams_, {})) stream->HandleLost();
}

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
  LoseStreams();
}

void Attachment::OnMessage(Bytes message) {
  if (const absl::Status handled = Handle(message); !handled.ok()) Lose(handled);
}

absl::Status Attachment::Handle(const Bytes& message) {
  CULVERT_ASSIGN_OR_RETURN(AttachRequest request, Parse(message));
  if (!(request.has_ping() ? pings_ : requests_).Take(loop_.Now())) {
    return absl::ResourceExhaustedError("consumer sends too much on its Attach stream");
  }
  AttachResponse response;
  ntt::proxies::v1::ConnectRequest opening;
  switch (request.message_case()) {
    case AttachRequest::kPing:
      response.mutable_pong();
      Answer(response);
      return absl::OkStatus();
    case AttachRequest::kLeaseData:
      *response.mutable_lease_data() = owner_.Lend(*this, request.lease_data().count());
      Answer(response);
      return absl::OkStatus();
    case AttachRequest::kOpen:
      opening.mutable_open_request()->Swap(request.mutable_open());
      Open(opening, opening.open_request().parked_id());
      return absl::OkStatus();
    case AttachRequest::kResume:
      opening.mutable_resume_request()->Swap(request.mutable_resume());
      Open(opening, opening.resume_request().parked_id());
      return absl::OkStatus();
    case AttachRequest::kHello:
    case AttachRequest::MESSAGE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("only lease_data, open, resume and ping may follow the hello");
}

// The next message is read when it is out (OnWritten): a flood of requests queues nothing.
void Attachment::Answer(const AttachResponse& answer) { stream_->Write(rpc::FrameOf(answer)); }

void Attachment::Open(const ntt::proxies::v1::ConnectRequest& opening, uint64_t parked_id) {
  auto stream =
      std::make_unique<AttachedStream>(loop_, static_cast<AttachedStream::Line&>(*this), parked_id,
                                       Bytes::Copy(opening.SerializeAsString()));
  streams_.insert(stream.get());
  stream_->Read();
  owner_.OnOpening(*this, std::move(stream));
}

void Attachment::OnWritten() {
  stream_->Read();
  for (const std::function<void()>& then : std::exchange(when_written_, {})) then();
}

void Attachment::Lose(const absl::Status& why) {
  End(why);
  owner_.OnDetached(*this, why);
}

}  // namespace culvert::broker
