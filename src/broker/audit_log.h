// The audit log of a running broker.
#pragma once

#include <utility>

#include "broker/audit_event.h"
#include "broker/audit_file.h"
#include "net/event_loop.h"
#include "net/timer.h"

namespace culvert::broker {

// Confined to the control loop. An event is in the file kFlushTime after it was written at the
// latest, and when this is destroyed. Never fails and never waits for a reader: see AuditFile.
class AuditLog {
 public:
  static constexpr Duration kFlushTime = std::chrono::milliseconds(100);

  AuditLog(net::EventLoop& loop, AuditFile file) : file_(std::move(file)), timer_(loop) {}

  void Write(const AuditEvent& event);
  // What was written is in the file when this returns: for what somebody looks up at once.
  void Flush() { file_.Flush(); }
  // SIGHUP: the file may have been rotated. A failure is logged.
  void Reopen();

  // Lines that could not be written.
  uint64_t lost() const { return file_.lost(); }

 private:
  AuditFile file_;
  net::Timer timer_;  // set while something waits
};

}  // namespace culvert::broker
