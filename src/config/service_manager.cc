#include "config/service_manager.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <chrono>

namespace culvert::config {

void NotifyReady(const std::string& status) {
  sd_notify(0, fmt::format("READY=1\nSTATUS={}", status).c_str());
}

void NotifyReloading() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  sd_notify(0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", microseconds).c_str());
}

void NotifySuccessor(int pid) { sd_notify(0, fmt::format("MAINPID={}", pid).c_str()); }

void NotifyStopping() { sd_notify(0, "STOPPING=1"); }

}  // namespace culvert::config
