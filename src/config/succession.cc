#include "config/succession.h"

#include <unistd.h>

#include <csignal>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "config/service_manager.h"

namespace culvert::config {

Succession::Succession(net::EventLoop& loop, Actions actions) : actions_(std::move(actions)) {
  absl::StatusOr<net::OwnCommand> command = net::OwnCommand::Read();
  if (command.ok()) {
    hand_over_.emplace(loop, *std::move(command));
    hand_over_->SetOnSuccessorFailed(
        [this](const std::string& how) { HandleSuccessorFailed(how); });
  } else {
    CULVERT_LOG(kWarning, "SIGUSR2 will do nothing: {}", MessageOf(command.status()));
  }
}

void Succession::Start(std::vector<net::Listening> listening) {
  if (!hand_over_ || hand_over_->is_under_way()) return;
  CULVERT_LOG(kInfo, "SIGUSR2: handing over");
  const absl::Status started =
      hand_over_->Start(std::move(listening),
                        [this](const absl::StatusOr<pid_t>& successor) { HandleDone(successor); });
  if (!started.ok()) HandleDone(started);
}

bool Succession::PostponeReload() {
  if (!is_under_way()) return false;
  CULVERT_LOG(kInfo, "SIGHUP: reload after the hand-over");
  reload_ = Reload::kWanted;
  return true;
}

void Succession::HandleDone(const absl::StatusOr<pid_t>& successor) {
  const bool reload = std::exchange(reload_, Reload::kNotWanted) == Reload::kWanted;
  if (!successor.ok()) {
    CULVERT_LOG(kError, "not handed over, going on as before: {}", MessageOf(successor.status()));
    actions_.taken_back();
    if (reload) actions_.reload();
    return;
  }
  NotifySuccessor(*successor);
  CULVERT_LOG(kInfo, "handed over to process {}; what is open goes on here", *successor);
  // It may have read the configuration before it was changed.
  if (reload) kill(*successor, SIGHUP);
  actions_.handed_over();
}

// systemd does not see it: this process is the parent.
void Succession::HandleSuccessorFailed(const std::string& how) {
  CULVERT_LOG(kError, "the new process {}: this one takes its place again", how);
  NotifySuccessor(getpid());
  actions_.taken_back();
}

}  // namespace culvert::config
