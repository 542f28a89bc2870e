// The two ends' parts in securing a channel: a TLS handshake with the right peer, then the opening
// inside it (docs/protocol.md, "End-to-end encryption").
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "culvert/v1/e2e.pb.h"
#include "sdk/channel_driver.h"
#include "sdk/early_hello.h"
#include "sdk/end_to_end.h"
#include "sdk/tls_handshake.h"
#include "stitch/hello_mac.h"

namespace culvert {

// What both versions of a channel's end run on top of: nothing but this version is spoken.
inline constexpr uint32_t kEndToEndVersion = 1;

// Confined to the loop; outlives the driver that it secures. Destroy = cancel.
class ConsumerSecuring final : public ChannelDriver::Securing {
 public:
  struct Secured {
    std::unique_ptr<crypto::TlsRecords> records;
    std::unique_ptr<stitch::HelloKey> hello_key;
  };
  // The agent says that the channel is open.
  using OnDone = absl::AnyInvocable<void(absl::StatusOr<Secured>) &&>;

  // `own` is the identity that the broker opened the channel for, `hello` what the agent must have
  // understood. `on_done` runs once, never inside a call; it
  // may destroy this in a later turn.
  ConsumerSecuring(EndToEnd& shared, std::shared_ptr<const crypto::TlsContext> own,
                   culvert::v1::E2eHello hello, OnDone on_done);
  ~ConsumerSecuring();

  // Once the driver has its path. `early`: the beginning of the handshake is on its way, as what
  // the channel sends first.
  void Start(ChannelDriver& driver, std::optional<EarlyHello> early = std::nullopt);

  // What Make of EarlyHello wants, "PROJECT/AGENT".
  static std::string AgentOf(const culvert::v1::E2eHello& hello);

 private:
  void OnSecuringMessage(Bytes message) override;
  void Shake(std::shared_ptr<const crypto::TlsSession> session);
  void HandleSecured(absl::StatusOr<crypto::TlsSecured> secured);
  absl::Status CheckPeer(const crypto::Certificate& peer) const;
  void CheckKey(crypto::TlsSecured secured);
  void GoOn(absl::Status key, crypto::TlsSecured secured);
  // Whether sessions with this identity's key are still of use.
  bool IsCurrent() const;
  absl::Status SendHello(crypto::TlsSecured secured);
  absl::Status ReadReady(const Bytes& message);
  void Finish(absl::Status why);

  EndToEnd& shared_;
  const std::shared_ptr<const crypto::TlsContext> own_;
  const culvert::v1::E2eHello hello_;
  const std::string agent_;  // "PROJECT/AGENT"
  OnDone on_done_;
  ChannelDriver* driver_ = nullptr;
  std::unique_ptr<EndToEnd::Turn> turn_;
  std::optional<TlsHandshake> handshake_;
  std::optional<AgentKeys::Succession> succession_;  // of another key than is known
  std::unique_ptr<crypto::TlsRecords> records_;
  std::unique_ptr<stitch::HelloKey> hello_key_;
};

// The same at the agent. Confined to the loop; outlives the driver that it secures.
class ProviderSecuring final : public ChannelDriver::Securing {
 public:
  // Who asks, and that it asks for what the broker said: the service may be started.
  using OnHello = absl::AnyInvocable<void(absl::Status) &&>;
  // From the start to the consumer's hello.
  static constexpr Duration kLimit = std::chrono::seconds(10);

  // `expected` is what the broker said of the opening, `consumer` of who asks. `on_hello` as
  // ConsumerSecuring's on_done.
  ProviderSecuring(EndToEnd& shared, culvert::v1::E2eHello expected, culvert::v1::Consumer consumer,
                   OnHello on_hello);
  ~ProviderSecuring();

  void Start(ChannelDriver& driver);
  // After on_hello said OK: tells the consumer. With OK the records are the service's.
  std::unique_ptr<crypto::TlsRecords> SendReady(const absl::Status& status);
  // Null before the handshake is done.
  const stitch::HelloKey* hello_key() const { return hello_key_.get(); }

 private:
  void AwaitTurn();
  void OnSecuringMessage(Bytes message) override;
  void HandleSecured(absl::StatusOr<crypto::TlsSecured> secured);
  absl::Status CheckPeer(const crypto::Certificate& peer) const;
  absl::Status CheckHello(const Bytes& message);
  void Finish(absl::Status why);

  EndToEnd& shared_;
  const culvert::v1::E2eHello expected_;
  const culvert::v1::Consumer consumer_;
  OnHello on_hello_;
  ChannelDriver* driver_ = nullptr;
  net::Timer timer_;
  net::Timer turn_timer_;     // set while the handshake waits: this consumer has had enough of them
  std::vector<Bytes> early_;  // that came meanwhile
  std::optional<TlsHandshake> handshake_;
  std::unique_ptr<crypto::TlsRecords> records_;
  std::unique_ptr<stitch::HelloKey> hello_key_;
};

}  // namespace culvert
