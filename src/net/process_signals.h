// The signals that a daemon of ours listens to.
#pragma once

#include <optional>

#include "absl/functional/any_invocable.h"
#include "net/event_loop.h"
#include "net/signal_watcher.h"
#include "net/timer.h"

namespace culvert::net {

// SIGTERM or SIGINT: drain, at most `grace`; the second one, or the end of the grace, ends at once.
// SIGHUP: reload. SIGUSR2: hand over to a new process. Neither once it drains. Confined to the
// loop; destroy = stop watching.
class ProcessSignals {
 public:
  struct Actions {
    absl::AnyInvocable<void()> drain;   // once
    absl::AnyInvocable<void()> finish;  // the second signal or the end of the grace; once
    absl::AnyInvocable<void()> reload;
    absl::AnyInvocable<void()> hand_over = nullptr;  // null: SIGUSR2 is not watched
  };

  ProcessSignals(EventLoop& loop, Duration grace, Actions actions);

  Duration grace() const { return grace_; }
  void set_grace(Duration grace) { grace_ = grace; }

 private:
  enum class State { kRunning, kDraining, kFinished };
  void HandleExit(const char* name);
  void Finish(const char* why);

  Duration grace_;
  Actions actions_;
  State state_ = State::kRunning;
  Timer timer_;
  SignalWatcher term_;
  SignalWatcher interrupt_;
  SignalWatcher hang_up_;
  std::optional<SignalWatcher> user2_;
};

}  // namespace culvert::net
