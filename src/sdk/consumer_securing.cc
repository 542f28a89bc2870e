// The consumer's part of securing a channel.
#include <utility>

#include "base/status.h"
#include "culvert/error_code.h"
#include "sdk/peer_words.h"
#include "sdk/securing.h"
#include "sdk/securing_messages.h"

namespace culvert {
namespace {

using Role = crypto::SpiffeId::Role;

// What went wrong at this end, and not on the way: the keys that it knows cannot be read, say.
absl::Status AsOwnError(const absl::Status& why) {
  if (why.ok() || absl::IsUnauthenticated(why) || absl::IsPermissionDenied(why)) return why;
  return ErrorStatus(ErrorCode::kInternal, std::string(MessageOf(why)));
}

}  // namespace

ConsumerSecuring::ConsumerSecuring(EndToEnd& shared, std::shared_ptr<const crypto::TlsContext> own,
                                   culvert::v1::E2eHello hello, OnDone on_done)
    : shared_(shared),
      own_(std::move(own)),
      hello_(std::move(hello)),
      agent_(AgentOf(hello_)),
      on_done_(std::move(on_done)) {}

ConsumerSecuring::~ConsumerSecuring() = default;

std::string ConsumerSecuring::AgentOf(const culvert::v1::E2eHello& hello) {
  return ProjectId(hello.project()) + "/" + hello.provider();
}

void ConsumerSecuring::Start(ChannelDriver& driver, std::optional<EarlyHello> early) {
  driver_ = &driver;
  if (early) {
    turn_ = std::move(early->turn);
    handshake_.emplace(
        shared_.workers(), std::move(early->engine),
        [this](Bytes bytes) { driver_->SendSecuring(std::move(bytes)); },
        [this](absl::StatusOr<crypto::TlsSecured> secured) { HandleSecured(std::move(secured)); });
    driver_->SendSecuring(std::move(early->bytes));
    return;
  }
  turn_ = shared_.AwaitTurn(agent_, [this](std::shared_ptr<const crypto::TlsSession> session) {
    Shake(std::move(session));
  });
}

void ConsumerSecuring::Shake(std::shared_ptr<const crypto::TlsSession> session) {
  if (!IsCurrent()) session = nullptr;  // another key's
  handshake_.emplace(
      shared_.workers(), own_, std::move(session),
      [this](Bytes bytes) { driver_->SendSecuring(std::move(bytes)); },
      [this](absl::StatusOr<crypto::TlsSecured> secured) { HandleSecured(std::move(secured)); });
}

void ConsumerSecuring::OnSecuringMessage(Bytes message) {
  if (handshake_) {
    handshake_->Take(message);
  } else if (records_ != nullptr && on_done_) {
    Finish(ReadReady(message));
  } else {
    Finish(OpeningAltered("a message before the handshake"));
  }
}

void ConsumerSecuring::HandleSecured(absl::StatusOr<crypto::TlsSecured> secured) {
  handshake_.reset();
  if (!secured.ok()) {
    turn_.reset();
    Finish(AsChannelError(secured.status()));
    return;
  }
  absl::Status good = CheckPeer(*secured->peer);
  if (good.ok()) {
    CheckKey(*std::move(secured));
  } else {
    GoOn(std::move(good), *std::move(secured));
  }
}

bool ConsumerSecuring::IsCurrent() const {
  return own_->own().public_key() == shared_.client()->own().public_key();
}

absl::Status ConsumerSecuring::CheckPeer(const crypto::Certificate& peer) const {
  const crypto::TlsExpectation expected{
      ProjectId(hello_.project()), {Role::kAgent}, hello_.provider()};
  return own_->CheckPeer(peer, expected, std::chrono::system_clock::now());
}

void ConsumerSecuring::CheckKey(crypto::TlsSecured secured) {
  const auto told = [](const absl::Status& key) {
    return key.ok() ? key
                    : TellingPeer(AsOwnError(key), "the consumer does not accept the agent's key");
  };
  absl::StatusOr<std::optional<std::string>> known = shared_.agent_keys().Check(*secured.peer);
  if (!known.ok() || !*known) {
    GoOn(told(known.status()), std::move(secured));
    return;
  }
  const crypto::Certificate peer = *secured.peer;
  succession_.emplace(shared_.agent_keys(), peer, **std::move(known),
                      [this, told, kept = std::move(secured)](const absl::Status& key) mutable {
                        succession_.reset();
                        GoOn(told(key), std::move(kept));
                      });
}

void ConsumerSecuring::GoOn(absl::Status key, crypto::TlsSecured secured) {
  if (key.ok() && IsCurrent()) turn_->Succeed(secured.session);
  turn_.reset();
  if (key.ok()) key = SendHello(std::move(secured));
  if (!key.ok()) Finish(AsChannelError(key));
}

absl::Status ConsumerSecuring::SendHello(crypto::TlsSecured secured) {
  if (!secured.rest.empty()) return absl::DataLossError("a message before the hello");
  records_ = std::move(secured.records);
  hello_key_ = std::move(secured.exported);
  CULVERT_ASSIGN_OR_RETURN(Bytes sealed, SealMessage(*records_, hello_));
  driver_->SendSecuring(std::move(sealed));
  return absl::OkStatus();
}

absl::Status ConsumerSecuring::ReadReady(const Bytes& message) {
  CULVERT_ASSIGN_OR_RETURN(const auto ready,
                           OpenMessage<culvert::v1::E2eReady>(*records_, message));
  if (ready.channel_id() != hello_.channel_id()) return OpeningAltered("another channel's answer");
  if (ready.error_code() == culvert::v1::ERROR_CODE_UNSPECIFIED) return absl::OkStatus();
  return ErrorStatus(ErrorCodeFromNumber(static_cast<uint32_t>(ready.error_code())),
                     ready.message());
}

void ConsumerSecuring::Finish(absl::Status why) {
  if (!on_done_) return;
  OnDone on_done = std::exchange(on_done_, nullptr);
  if (why.ok()) {
    std::move(on_done)(Secured{std::move(records_), std::move(hello_key_)});
  } else {
    std::move(on_done)(std::move(why));
  }
}

}  // namespace culvert
