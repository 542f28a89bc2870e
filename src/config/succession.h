// What a running agent or forwarder does at SIGUSR2: a new process takes its place.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "net/event_loop.h"
#include "net/hand_over.h"

namespace culvert::config {

// Confined to the loop; destroy = go on as before.
class Succession {
 public:
  struct Actions {
    // The new process does the work and systemd knows of it: this one only ends what it has begun.
    std::function<void()> handed_over;
    // There is no such process after all, or it has failed while this one was still there: this one
    // does the work (again).
    std::function<void()> taken_back;
    // As at SIGHUP.
    std::function<void()> reload;
  };
  Succession(net::EventLoop& loop, Actions actions);

  // Starts the program that is at the path of this one now. One line is logged of how it went.
  void Start(std::vector<net::Listening> listening);
  bool is_under_way() const { return hand_over_ && hand_over_->is_under_way(); }
  // A new process is being made with the configuration and the sockets as they are: whatever comes
  // of it is to reload afterwards. False if there is none: reload now.
  bool PostponeReload();
  // Stops a new process that is not ready yet.
  void Cancel() { hand_over_.reset(); }

 private:
  enum class Reload { kNotWanted, kWanted };

  void HandleDone(const absl::StatusOr<pid_t>& successor);
  void HandleSuccessorFailed(const std::string& how);

  const Actions actions_;
  Reload reload_ = Reload::kNotWanted;      // after the hand-over under way
  std::optional<net::HandOver> hand_over_;  // null if the own program is not known
};

}  // namespace culvert::config
