#include "broker/audit_log.h"

#include "base/log.h"
#include "base/status.h"

namespace culvert::broker {

void AuditLog::Write(const AuditEvent& event) {
  file_.Append(event.ToLine(WallNow()));
  if (!file_.is_empty() && !timer_.is_set()) {
    timer_.Start(kFlushTime, [this] { file_.Flush(); });
  }
}

void AuditLog::Reopen() {
  const absl::Status reopened = file_.Reopen();
  if (!reopened.ok()) CULVERT_LOG(kError, "reopen: {}", MessageOf(reopened));
}

}  // namespace culvert::broker
