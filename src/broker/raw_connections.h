// Programs that meet at the data port by tokens that a user asked for, from the asking to the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "broker/audit_trail.h"
#include "broker/data_plane.h"
#include "broker/raw_request.h"
#include "broker/rendezvous.h"
#include "culvert/v1/control.pb.h"
#include "net/event_loop.h"

namespace culvert::broker {

// Those that wait and those that are joined: what is said over them is looked at by nobody, and
// cannot be resumed. Confined to the control loop; destroy = reset all.
class RawConnections {
 public:
  struct Limits {
    Rendezvous::Limits waiting = {};
    size_t per_owner = 64;  // with those that wait
    size_t most = 4'096;    // the same of all
  };

  // `data` and `trail` outlive it; `data` is null where there is no data port. `on_end` runs when
  // one that was joined has ended, or was ended.
  RawConnections(net::EventLoop& loop, DataPlane* data, AuditTrail& trail,
                 std::function<void()> on_end, const Limits& limits);
  RawConnections(net::EventLoop& loop, DataPlane* data, AuditTrail& trail,
                 std::function<void()> on_end)
      : RawConnections(loop, data, trail, std::move(on_end), Limits()) {}
  ~RawConnections();
  RawConnections(const RawConnections&) = delete;
  RawConnections& operator=(const RawConnections&) = delete;

  // FAILED_PRECONDITION without a data port, RESOURCE_EXHAUSTED at a limit. Whether `request` is
  // allowed is not looked at.
  absl::StatusOr<culvert::v1::RequestConnectionResponse> Ask(RawRequest request);
  // Ends what may not go on.
  void Check(absl::FunctionRef<absl::Status(const RawRequest&)> may);
  // Ends those that wait: nobody will come.
  void StopWaiting();
  void EndAll(const absl::Status& why);

  size_t waiting() const { return rendezvous_.size(); }
  size_t joined() const { return joined_.size(); }

 private:
  struct Joined {
    RawRequest request;
    MonotonicTime since;
    std::unique_ptr<DataPlane::Pair> pair;
  };
  using AllJoined = std::unordered_map<uint64_t, Joined>;  // by the id of the request
  void Join(RawRequest request, net::UniqueFd consumer, net::UniqueFd provider);
  void HandleEnd(uint64_t id, const net::SpliceEnd& end);
  AllJoined::iterator End(AllJoined::iterator joined, const absl::Status& why);
  size_t CountOf(const std::string& owner) const;

  net::EventLoop& loop_;
  DataPlane* const data_;
  AuditTrail& trail_;
  const std::function<void()> on_end_;
  const Limits limits_;
  Rendezvous rendezvous_;
  AllJoined joined_;
  std::unordered_map<std::string, size_t> joined_of_;  // by owner
};

}  // namespace culvert::broker
