// Which consumer processes are attached.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/functional/function_ref.h"
#include "broker/attachment.h"
#include "broker/legacy_channels.h"
#include "broker/requests.h"
#include "net/deferred.h"
#include "net/event_loop.h"

namespace culvert::broker {

// One for each process: a newer one of the same incarnation takes the place of the older. Confined
// to the control loop.
class Attachments final : public Attachment::Owner {
 public:
  // Of one consumer.
  static constexpr size_t kMost = 64;

  // What an attachment asks of the Broker.
  struct Calls {
    std::function<void(const Attachment&, std::unique_ptr<AttachedStream>)> open;
    std::function<culvert::v1::LeaseDataResponse(const DataOwner&, uint32_t count)> lend;
    std::function<void(const DataOwner&)> drop;  // it is gone
    std::function<uint32_t()> data_port;
  };

  Attachments(net::EventLoop& loop, Calls calls);
  ~Attachments();

  // RESOURCE_EXHAUSTED when the consumer has kMost; then the stream is not taken.
  absl::Status Add(AttachOpening opening, const rpc::StreamInfo& info,
                   absl::FunctionRef<std::unique_ptr<rpc::Stream>()> take_stream);
  bool IsAttached(const OpenChannel& open) const { return by_consumer_.contains(ConsumerOf(open)); }
  // Tell every process of the consumer of `open`: which of them has the channel is not known.
  void Notify(const OpenChannel& open, const culvert::v1::Notice& notice);
  // As Attachment::WhenWritten, of that process of the consumer of `open`. False if it is not
  // there.
  bool WhenWritten(const OpenChannel& open, uint64_t incarnation, std::function<void()> then);
  void SendTicket(const OpenChannel& open, uint64_t channel_id, std::string ticket);
  // Tells the one that is attached as `incarnation`, if it still is.
  void Notify(const std::string& consumer, uint64_t incarnation, const culvert::v1::Notice& notice);
  // Ends those that may not go on.
  void Check(absl::FunctionRef<absl::Status(const Principal&)> may);
  void EndAll(const absl::Status& why);

  size_t size() const;
  // Calls with what Notify takes. `visit` must not change the attachments.
  void ForEach(absl::FunctionRef<void(const std::string& consumer, uint64_t incarnation)> visit);

 private:
  using OfConsumer = std::unordered_map<uint64_t, std::unique_ptr<Attachment>>;  // by incarnation
  static std::string KeyOf(const AttachOpening& opening);
  void Tell(const OpenChannel& open, const culvert::v1::AttachResponse& what);
  void Tell(const std::string& consumer, uint64_t incarnation,
            const culvert::v1::AttachResponse& what);
  void OnDetached(Attachment& attachment, const absl::Status& why) override;
  void OnOpening(const Attachment& attachment, std::unique_ptr<AttachedStream> stream) override {
    calls_.open(attachment, std::move(stream));
  }
  culvert::v1::LeaseDataResponse Lend(const Attachment& attachment, uint32_t count) override {
    return calls_.lend(attachment.data_owner(), count);
  }
  uint32_t data_port() const override { return calls_.data_port(); }
  // It may be what called us.
  void Bury(std::unique_ptr<Attachment> attachment);

  net::EventLoop& loop_;
  const Calls calls_;
  std::unordered_map<std::string, OfConsumer> by_consumer_;
  std::vector<std::unique_ptr<Attachment>> done_;
  net::Deferred sweep_;
};

}  // namespace culvert::broker
