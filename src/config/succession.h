// What a running agent or forwarder does at SIGUSR2: a new process takes its place.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "net/event_loop.h"
#include "net/hand_over.h"

namespace culvert::config {

// Confined to the loop; destroy = go on as before.
class Succession {
 public:
  // `handed_over` runs once, when the new process does the work and systemd knows of it: this one
  // only ends what it has begun.
  Succession(net::EventLoop& loop, std::function<void()> handed_over);

  // Starts the program that is at the path of this one now. One line is logged of how it went.
  void Start(std::vector<net::Listening> listening);
  bool is_under_way() const { return hand_over_ && hand_over_->is_under_way(); }
  // Stops a new process that is not ready yet.
  void Cancel() { hand_over_.reset(); }

 private:
  void HandleDone(const absl::StatusOr<pid_t>& successor);

  const std::function<void()> handed_over_;
  std::optional<net::HandOver> hand_over_;  // null if the own program is not known
};

}  // namespace culvert::config
