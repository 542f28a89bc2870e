#include "sdk/securing.h"

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "culvert/error_code.h"
#include "sdk/peer_words.h"

namespace culvert {
namespace {

using Role = crypto::SpiffeId::Role;

constexpr std::string_view kProjectPrefix = "projects/";

std::string ProjectId(std::string_view project) {
  return std::string(project.substr(std::min(project.size(), kProjectPrefix.size())));
}

absl::Status Altered(const std::string& how) {
  return ErrorStatus(ErrorCode::kAltered, "opening altered on the way: " + how);
}

// What went wrong at this end, and not on the way: the keys that it knows cannot be read, say.
absl::Status AsOwnError(const absl::Status& why) {
  if (why.ok() || absl::IsUnauthenticated(why) || absl::IsPermissionDenied(why)) return why;
  return ErrorStatus(ErrorCode::kInternal, std::string(MessageOf(why)));
}

// A failure of TLS, or of who is at the other end, as the channel's error; one that is such an
// error stays it.
absl::Status AsChannelError(const absl::Status& why) {
  const ErrorCode code = ErrorCodeOf(why);
  if (code == ErrorCode::kAltered || code == ErrorCode::kInternal) return why;
  const bool peer = absl::IsUnauthenticated(why) || absl::IsPermissionDenied(why);
  absl::Status error =
      ErrorStatus(peer ? ErrorCode::kDenied : ErrorCode::kAltered, std::string(MessageOf(why)));
  if (const auto words = WordsForPeer(why)) error = TellingPeer(std::move(error), *words);
  return error;
}

// What the record of one message says. Anything but one whole message of data is no part of an
// opening.
template <typename Proto>
absl::StatusOr<Proto> OpenMessage(crypto::TlsRecords& records, const Bytes& message) {
  absl::StatusOr<crypto::OpenedMessage> opened = records.Open(message.view());
  if (!opened.ok()) return AsChannelError(opened.status());
  Proto proto;
  if (opened->alert ||
      !proto.ParseFromArray(opened->data.data(), static_cast<int>(opened->data.size()))) {
    return Altered("a message that is no part of it");
  }
  return proto;
}

template <typename Proto>
absl::StatusOr<Bytes> SealMessage(crypto::TlsRecords& records, const Proto& proto) {
  return records.Seal(proto.SerializeAsString());
}

}  // namespace

// --- the consumer ---

ConsumerSecuring::ConsumerSecuring(EndToEnd& shared, std::shared_ptr<const crypto::TlsContext> own,
                                   culvert::v1::E2eHello hello, OnDone on_done)
    : shared_(shared),
      own_(std::move(own)),
      hello_(std::move(hello)),
      agent_(ProjectId(hello_.project()) + "/" + hello_.provider()),
      on_done_(std::move(on_done)) {}

ConsumerSecuring::~ConsumerSecuring() = default;

void ConsumerSecuring::Start(ChannelDriver& driver) {
  driver_ = &driver;
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
    Finish(Altered("a message before the handshake"));
  }
}

void ConsumerSecuring::HandleSecured(absl::StatusOr<crypto::TlsSecured> secured) {
  handshake_.reset();
  if (!secured.ok()) {
    turn_.reset();
    Finish(AsChannelError(secured.status()));
    return;
  }
  absl::Status good = CheckPeer(secured->peer);
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
  absl::StatusOr<std::optional<std::string>> known = shared_.agent_keys().Check(secured.peer);
  if (!known.ok() || !*known) {
    GoOn(told(known.status()), std::move(secured));
    return;
  }
  const crypto::Certificate peer = secured.peer;
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
  CULVERT_ASSIGN_OR_RETURN(Bytes sealed, SealMessage(*records_, hello_));
  driver_->SendSecuring(std::move(sealed));
  return absl::OkStatus();
}

absl::Status ConsumerSecuring::ReadReady(const Bytes& message) {
  CULVERT_ASSIGN_OR_RETURN(const auto ready,
                           OpenMessage<culvert::v1::E2eReady>(*records_, message));
  if (ready.channel_id() != hello_.channel_id()) return Altered("another channel's answer");
  if (ready.error_code() == culvert::v1::ERROR_CODE_UNSPECIFIED) return absl::OkStatus();
  return ErrorStatus(ErrorCodeFromNumber(static_cast<uint32_t>(ready.error_code())),
                     ready.message());
}

void ConsumerSecuring::Finish(absl::Status why) {
  if (!on_done_) return;
  OnDone on_done = std::exchange(on_done_, nullptr);
  if (why.ok()) {
    std::move(on_done)(std::move(records_));
  } else {
    std::move(on_done)(std::move(why));
  }
}

// --- the provider ---

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
  absl::Status good = secured.ok() ? CheckPeer(secured->peer) : secured.status();
  if (!good.ok()) {
    Finish(AsChannelError(good));
    return;
  }
  records_ = std::move(secured->records);
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
    return Altered("the broker names another consumer than " + peer.spiffe_id()->ToString());
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
  return Altered(Printable("the consumer asks for " + hello.service() + " " + hello.arg() +
                           ", the broker for " + expected_.service() + " " + expected_.arg()));
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
