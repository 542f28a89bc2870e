// A stitched connection that is about to carry a channel, until the other end has said Hello.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "culvert/v1/stitch.pb.h"
#include "net/event_loop.h"
#include "net/tcp_stream.h"
#include "stitch/hello_mac.h"
#include "stitch/stitch_path.h"

namespace culvert {

// Confined to the loop. Destroy = cancel: the connection is reset.
class PendingStitch final : private stitch::StitchPath::HelloListener,
                            private tunnel::Path::Delegate {
 public:
  // For the Hello of an end that has nothing else to do first.
  static constexpr Duration kLimit = std::chrono::seconds(2);

  // Which channel and path the two ends are to speak of, and what they know already.
  struct Meeting {
    stitch::HelloRole own_role = stitch::HelloRole::kConsumer;
    // 0: a consumer's that is not known yet, of a first attempt; see Name.
    uint64_t channel_id = 0;
    uint32_t attempt = 1;
    uint64_t last_id = 0;  // that this end has received
    uint64_t window = 0;   // that it grants beyond that
    uint32_t resume_timeout_s = 0;
    // Once the channel has an end-to-end session: then the peer must have it too.
    const stitch::HelloKey* key = nullptr;
    // What the channel will send first, if that is known: it goes out with the Hello.
    Bytes early = {};
  };
  struct Joined {
    std::unique_ptr<stitch::StitchPath> path;
    uint64_t last_id = 0;  // that the peer has received
    uint64_t window = 0;
    uint32_t resume_timeout_s = 0;
  };
  // Once, never inside a call; may destroy this. The path has its delegate still to be set.
  using OnDone = absl::AnyInvocable<void(absl::StatusOr<Joined>) &&>;

  // The other end has `limit` to say Hello.
  PendingStitch(net::EventLoop& loop, std::unique_ptr<net::TcpStream> stream,
                const Meeting& meeting, Duration limit, OnDone on_done);
  // The broker has named the channel: the other end has `limit` from now on to say Hello for it.
  // What was heard until now counts, and `on_done` may run inside this call.
  void Name(uint64_t channel_id, Duration limit);
  bool is_named() const { return meeting_.channel_id != 0; }

 private:
  absl::Status OnHello(const culvert::v1::StitchHello& hello) override;
  bool NamesChannel(const culvert::v1::StitchHello& hello) const;
  void Finish(const culvert::v1::StitchHello& hello);
  absl::Status Check(const culvert::v1::StitchHello& hello) const;
  void OnPathMessage(tunnel::Message) override {}
  void OnPathReady() override {}
  void OnPathEnd(absl::Status why) override;

  Meeting meeting_;
  std::unique_ptr<stitch::StitchPath> path_;
  // While the channel has no name: the other end's, or why the path has ended.
  std::optional<culvert::v1::StitchHello> heard_;
  absl::Status ended_;
  OnDone on_done_;
};

}  // namespace culvert
