// Why a channel could not be opened or was aborted. The numbers are those of culvert.v1.ErrorCode.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace culvert {

#define CULVERT_ERROR_CODES(X)                                                                \
  X(kUnspecified, 0, "error")               /* a legacy peer, or no code given */             \
  X(kInternal, 1, "internal error")         /* a defect of whoever reports it */              \
  X(kDenied, 2, "denied")                   /* by policy or the agent's allow list */         \
  X(kUnknownService, 3, "unknown service")  /* the provider offers no such service */         \
  X(kBadTarget, 4, "bad target")            /* `arg` does not parse */                        \
  X(kRefused, 5, "connection refused")      /* the target refused the dial */                 \
  X(kUnreachable, 6, "unreachable")         /* no route, or the name is unknown */            \
  X(kTimeout, 7, "timed out")               /* dialling, accepting or resuming */             \
  X(kReset, 8, "connection reset")          /* the local socket was reset */                  \
  X(kProtocol, 9, "protocol error")         /* the peer broke the tunnel protocol */          \
  X(kLimit, 10, "limit reached")            /* a quota or a size limit */                     \
  X(kShutdown, 11, "shutting down")         /* the program at the other end is ending */      \
  X(kPathLost, 12, "path lost")             /* and the channel cannot be resumed */           \
  X(kOutOfRange, 13, "out of range")        /* a resume asked for what is no longer kept */   \
  X(kEnded, 14, "already ended")            /* a resume of a channel that ended in order */   \
  X(kNoPath, 15, "no path")                 /* no parked connection for a stitched opening */ \
  X(kAltered, 16, "altered on the way")     /* end-to-end authentication failed */            \
  X(kOffline, 17, "agent offline")          /* the provider was here and is away */           \
  X(kUnknownProvider, 18, "unknown agent")  /* the broker never heard of the provider */      \
  X(kKilled, 19, "killed")                  /* by an operator */                              \
  X(kRevoked, 20, "revoked")                /* a key was withdrawn */                         \
  X(kUnknownChannel, 21, "unknown channel") /* nothing to resume */                           \
  X(kAlreadyExists, 22, "already exists")   /* a channel id that is in use */                 \
  X(kBusy, 23, "busy")                      /* try again later */                             \
  X(kExpired, 24, "expired")                /* a ticket that is too old */

enum class ErrorCode : uint32_t {
#define CULVERT_X(name, number, text) name = (number),
  CULVERT_ERROR_CODES(CULVERT_X)
#undef CULVERT_X
};

// The words for people: "connection refused". "error" for numbers that this version does not know.
std::string_view ErrorCodeText(ErrorCode code);
// What to tell people: "denied: 10.0.0.1:22 is not on …". The words of the code are left out where
// `message` has them already. Unprintable bytes of `message` are escaped.
std::string DescribeError(ErrorCode code, std::string_view message);
// The code of a number off the wire; unknown numbers (a newer peer) are kUnspecified.
ErrorCode ErrorCodeFromNumber(uint32_t number);

// A Status that carries `code` to the other end of the channel: what a Service or an Outlet fails
// with. Any other Status travels as the nearest code.
absl::Status ErrorStatus(ErrorCode code, const std::string& message);
ErrorCode ErrorCodeOf(const absl::Status& status);

}  // namespace culvert
