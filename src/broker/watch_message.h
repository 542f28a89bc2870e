// One message of WatchProjects as it is filled.
#pragma once

#include <cstddef>
#include <utility>

#include "ntt/proxies/v1/project_change.pb.h"
#include "ntt/proxies/v1/project_service.pb.h"
#include "rpc/codec.h"

namespace culvert::broker {

// As clients are told of it.
using ChangeMessage = ntt::proxies::v1::ProjectChange;

class WatchMessage {
 public:
  // A message that has so many bytes is full, whatever it may hold.
  static constexpr size_t kFullBytes = size_t{1} * 1024 * 1024;

  void Add(ChangeMessage change) {
    bytes_ += change.ByteSizeLong();
    *response_.add_project_changes() = std::move(change);
  }

  bool empty() const { return response_.project_changes().empty(); }
  // `chunk`: changes in a message, 0 for any number.
  bool IsFull(size_t chunk) const {
    const auto changes = static_cast<size_t>(response_.project_changes_size());
    return (chunk != 0 && changes >= chunk) || bytes_ >= kFullBytes;
  }

  ntt::proxies::v1::WatchProjectsResponse& response() { return response_; }

  // And begins the next one.
  rpc::Frame Take() {
    // "Unpopulated": clients compare 0 with what they have.
    response_.set_snapshot_size(-1);
    bytes_ = 0;
    return rpc::FrameOf(std::exchange(response_, {}));
  }

 private:
  ntt::proxies::v1::WatchProjectsResponse response_;
  size_t bytes_ = 0;
};

}  // namespace culvert::broker
