// A stream that has not sent its first message yet.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "broker/admission.h"
#include "broker/audit_event.h"
#include "broker/leases.h"
#include "net/event_loop.h"
#include "net/timer.h"
#include "rpc/server.h"
#include "rpc/stream.h"

namespace culvert::broker {

// Confined to the control loop; owned by the Broker, which removes it in a later turn after
// `on_done`.
class PendingStream final : private rpc::Stream::Delegate {
 public:
  static constexpr Duration kFirstMessageTime = std::chrono::seconds(10);

  // Runs once: with the first message, or with an empty one when the stream ended or was ended
  // because none came in time.
  using OnDone = absl::AnyInvocable<void(PendingStream&, std::optional<Bytes> first_message)>;

  PendingStream(net::EventLoop& loop, rpc::StreamInfo info, std::unique_ptr<rpc::Stream> stream,
                SlotCounter::Slot opening_slot, OnDone on_done);
  ~PendingStream();

  const rpc::StreamInfo& info() const { return info_; }
  // What is known so far of who asks for what: for the records.
  AuditEvent& asked() { return asked_; }
  // Of what came over an Attach stream: whose its data connections are.
  void set_data_owner(DataOwner owner) { data_owner_ = std::move(owner); }
  const std::optional<DataOwner>& data_owner() const { return data_owner_; }
  // Not taken yet.
  rpc::Stream& stream() { return *stream_; }
  // What the next owner takes over.
  std::unique_ptr<rpc::Stream> TakeStream() { return std::move(stream_); }
  SlotCounter::Slot TakeOpeningSlot() { return std::move(opening_slot_); }

 private:
  void OnMessage(Bytes message) override;
  void OnWritten() override {}
  void OnPeerFinished() override;
  void OnEnd(absl::Status status) override;
  void GiveUp(const absl::Status& why);

  const rpc::StreamInfo info_;
  AuditEvent asked_;
  std::optional<DataOwner> data_owner_;
  std::unique_ptr<rpc::Stream> stream_;
  SlotCounter::Slot opening_slot_;
  OnDone on_done_;
  net::Timer timer_;
};

}  // namespace culvert::broker
