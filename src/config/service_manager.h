// Tells systemd how a program is doing (sd_notify); nothing happens when it was not started by
// systemd.
#pragma once

#include <string>

namespace culvert::config {

// The program does its work. `status` is what `systemctl status` shows.
void NotifyReady(const std::string& status);
// A reload begins (NotifyReady ends it), or the program is draining.
void NotifyReloading();
void NotifyStopping();
// Another process of ours takes the place of this one.
void NotifySuccessor(int pid);

}  // namespace culvert::config
