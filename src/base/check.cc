#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace culvert {

void CheckFailed(const char* expression, const char* file, int line) {
  // Not the logger: it may be what is broken.
  std::fprintf(stderr, "check failed: %s at %s:%d\n", expression, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace culvert
