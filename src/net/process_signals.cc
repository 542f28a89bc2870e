#include "net/process_signals.h"

#include <csignal>
#include <utility>

#include "base/log.h"

namespace culvert::net {

ProcessSignals::ProcessSignals(EventLoop& loop, Duration grace, Actions actions)
    : grace_(grace),
      actions_(std::move(actions)),
      timer_(loop),
      term_(loop, SIGTERM, [this] { HandleExit("SIGTERM"); }),
      interrupt_(loop, SIGINT, [this] { HandleExit("SIGINT"); }),
      hang_up_(loop, SIGHUP, [this] {
        if (state_ == State::kRunning) actions_.reload();
      }) {
  if (actions_.hand_over == nullptr) return;
  user2_.emplace(loop, SIGUSR2, [this] {
    if (state_ == State::kRunning) actions_.hand_over();
  });
}

void ProcessSignals::HandleExit(const char* name) {
  if (state_ == State::kDraining) {
    Finish("second signal");
    return;
  }
  if (state_ == State::kFinished) return;
  state_ = State::kDraining;
  CULVERT_LOG(kInfo, "{}: draining, at most {:.1f} s", name, ToSeconds(grace_));
  timer_.Start(grace_, [this] { Finish("grace is over"); });
  actions_.drain();
}

void ProcessSignals::Finish(const char* why) {
  state_ = State::kFinished;
  CULVERT_LOG(kInfo, "{}: ending now", why);
  timer_.Cancel();
  actions_.finish();
}

}  // namespace culvert::net
