// The provider's part of securing a channel.
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "culvert/error_code.h"
#include "sdk/securing.h"
#include "sdk/securing_messages.h"

namespace culvert {
namespace {

using Role = crypto::SpiffeId::Role;

}  // namespace

ProviderSecuring::ProviderSecuring(EndToEnd& shared, culvert::v1::E2eHello expected,
                                   culvert::v1::Consumer consumer, OnHello on_hello)
    : shared_(shared),
      expected_(std::move(expected)),
      consumer_(std::move(consumer)),
      on_hello_(std::move(on_hello)),
      timer_(shared.loop()),
      turn_timer_(shared.loop()) {}

ProviderSecuring::~ProviderSecuring() = default;

void ProviderSecuring::Start(ChannelDriver& driver) {
  driver_ = &driver;
  timer_.Start(kLimit, [this] {
    Finish(turn_timer_.is_set()
               ? ErrorStatus(ErrorCode::kBusy, "too many handshakes of this consumer at the agent")
               : ErrorStatus(ErrorCode::kTimeout, "the consumer does not finish its handshake"));
  });
  AwaitTurn();
}

void ProviderSecuring::AwaitTurn() {
  const Duration wait = shared_.TakeHandshake(consumer_.key_thumbprint());
  if (wait > Duration::zero()) {
    turn_timer_.Start(wait, [this] { AwaitTurn(); });
    return;
  }
  handshake_.emplace(
      shared_.workers(), shared_.server(), nullptr,
      [this](Bytes bytes) { driver_->SendSecuring(std::move(bytes)); },
      [this](absl::StatusOr<crypto::TlsSecured> secured) { HandleSecured(std::move(secured)); });
  for (const Bytes& message : std::exchange(early_, {})) handshake_->Take(message);
}

void ProviderSecuring::OnSecuringMessage(Bytes message) {
  if (handshake_) {
    handshake_->Take(message);
  } else if (turn_timer_.is_set()) {
    early_.push_back(std::move(message));  // at most what the channel's window lets in
  } else if (records_ != nullptr) {
    driver_->Hold();  // what follows is for the service, which is not there yet
    Finish(CheckHello(message));
  }
}

void ProviderSecuring::HandleSecured(absl::StatusOr<crypto::TlsSecured> secured) {
  handshake_.reset();
  if (secured.ok() && secured->resumed) shared_.ReturnHandshake(consumer_.key_thumbprint());
  absl::Status good = secured.ok() ? CheckPeer(*secured->peer) : secured.status();
  if (!good.ok()) {
    Finish(AsChannelError(good));
    return;
  }
  records_ = std::move(secured->records);
  hello_key_ = std::move(secured->exported);
  // A hello that was there while the last step of the handshake was computed.
  if (!secured->rest.empty()) OnSecuringMessage(Bytes(std::move(secured->rest)));
}

absl::Status ProviderSecuring::CheckPeer(const crypto::Certificate& peer) const {
  const crypto::TlsExpectation expected{ProjectId(expected_.project()),
                                        {Role::kUser, Role::kAgent, Role::kServiceAccount},
                                        std::nullopt};
  CULVERT_RETURN_IF_ERROR(
      shared_.server()->CheckPeer(peer, expected, std::chrono::system_clock::now()));
  if (peer.spiffe_id()->ToString() != consumer_.spiffe_id() ||
      peer.public_key().id() != consumer_.key_thumbprint()) {
    return OpeningAltered("the broker names another consumer than " + peer.spiffe_id()->ToString());
  }
  return absl::OkStatus();
}

absl::Status ProviderSecuring::CheckHello(const Bytes& message) {
  CULVERT_ASSIGN_OR_RETURN(const auto hello,
                           OpenMessage<culvert::v1::E2eHello>(*records_, message));
  if (hello.e2e_version() != kEndToEndVersion) {
    return ErrorStatus(ErrorCode::kProtocol, "another version of end-to-end encryption");
  }
  // An end that names no region means whichever the broker is.
  const bool same_region =
      hello.region().empty() || expected_.region().empty() || hello.region() == expected_.region();
  const bool same = same_region && hello.project() == expected_.project() &&
                    hello.service_domain() == expected_.service_domain() &&
                    hello.provider() == expected_.provider() &&
                    hello.service() == expected_.service() && hello.arg() == expected_.arg() &&
                    hello.channel_id() == expected_.channel_id();
  if (same) return absl::OkStatus();
  return OpeningAltered(Printable("the consumer asks for " + hello.service() + " " + hello.arg() +
                                  ", the broker for " + expected_.service() + " " +
                                  expected_.arg()));
}

std::unique_ptr<crypto::TlsRecords> ProviderSecuring::SendReady(const absl::Status& status) {
  culvert::v1::E2eReady ready;
  ready.set_channel_id(expected_.channel_id());
  if (!status.ok()) {
    ready.set_error_code(static_cast<culvert::v1::ErrorCode>(ErrorCodeOf(status)));
    ready.set_message(tunnel::CutErrorText(MessageOf(status)));
  }
  if (absl::StatusOr<Bytes> sealed = SealMessage(*records_, ready); sealed.ok()) {
    driver_->SendSecuring(*std::move(sealed));
  }
  return std::move(records_);
}

void ProviderSecuring::Finish(absl::Status why) {
  if (!on_hello_) return;
  timer_.Cancel();
  turn_timer_.Cancel();
  std::exchange(on_hello_, nullptr)(std::move(why));
}

}  // namespace culvert
