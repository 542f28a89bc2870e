// CULVERT_CHECK: for our own bugs only. What the world can cause is an absl::Status.
#pragma once

namespace culvert {

// Logs `expression` with its place and aborts. Never returns.
[[noreturn]] void CheckFailed(const char* expression, const char* file, int line);

}  // namespace culvert

#define CULVERT_CHECK(expression)                       \
  (static_cast<bool>(expression) ? static_cast<void>(0) \
                                 : ::culvert::CheckFailed(#expression, __FILE__, __LINE__))

#ifdef NDEBUG
#define CULVERT_DCHECK(expression) static_cast<void>(sizeof(static_cast<bool>(expression)))
#else
#define CULVERT_DCHECK(expression) CULVERT_CHECK(expression)
#endif
