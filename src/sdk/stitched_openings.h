// A consumer's openings and resumes by way of its control stream, and the data connections for
// them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "culvert/v1/control.pb.h"
#include "net/event_loop.h"
#include "net/tcp_stream.h"
#include "sdk/attached_call.h"
#include "sdk/data_parking.h"

namespace culvert {

// Confined to the loop; part of the Attachment.
class StitchedOpenings final : private AttachedCall::Line {
 public:
  // A try to open or resume a channel on a stitched path.
  struct Try {
    std::unique_ptr<rpc::Stream> call;           // as a Connect stream
    std::unique_ptr<net::TcpStream> connection;  // that is the path if the call is answered so
  };

  // `send` writes to the control stream. Calls end before this does.
  StitchedOpenings(net::EventLoop& loop,
                   std::function<void(const culvert::v1::AttachRequest&)> send);
  ~StitchedOpenings();

  // The control stream is there, and leads to `address`; port 0: the broker has no data port.
  void Start(const std::string& address, uint32_t data_port);
  // It is gone.
  void Stop(const absl::Status& why);
  void HandleMessage(const culvert::v1::AttachResponse& response);

  void NoteOpening() { parking_.NoteOpening(); }
  // The network was away.
  void Renew() { parking_.Renew(); }
  // Nothing if no connection is parked, or the provider did not come to one not long ago.
  std::optional<Try> Begin(const std::string& provider);
  bool MayBegin(const std::string& provider) const;
  // The provider did not come to a connection in time: something filters its way to the data port,
  // or it is stuck. It gets streams for kAvoidTime.
  void NoteNotJoined(const std::string& provider);

  static constexpr Duration kAvoidTime = std::chrono::minutes(1);
  // Providers that are remembered so; when full, all are forgotten.
  static constexpr size_t kMostAvoided = 1'024;

 private:
  void SendOpening(const culvert::v1::AttachRequest& request, AttachedCall& call) override;
  void Forget(AttachedCall& call) override;
  void Answer(uint64_t parked_id, const culvert::v1::AttachResponse& response);

  net::EventLoop& loop_;
  const std::function<void(const culvert::v1::AttachRequest&)> send_;
  DataParking parking_;
  std::unordered_map<uint64_t, AttachedCall*> calls_;       // by parked id
  std::unordered_map<std::string, MonotonicTime> avoided_;  // providers, until when
};

}  // namespace culvert
