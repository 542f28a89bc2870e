#include "config/succession.h"

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "config/service_manager.h"

namespace culvert::config {

Succession::Succession(net::EventLoop& loop, std::function<void()> handed_over)
    : handed_over_(std::move(handed_over)) {
  absl::StatusOr<net::OwnCommand> command = net::OwnCommand::Read();
  if (command.ok()) {
    hand_over_.emplace(loop, *std::move(command));
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

void Succession::HandleDone(const absl::StatusOr<pid_t>& successor) {
  if (!successor.ok()) {
    CULVERT_LOG(kError, "not handed over, going on as before: {}", MessageOf(successor.status()));
    return;
  }
  NotifySuccessor(*successor);
  CULVERT_LOG(kInfo, "handed over to process {}; what is open goes on here", *successor);
  handed_over_();
}

}  // namespace culvert::config
