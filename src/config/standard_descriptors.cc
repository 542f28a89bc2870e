#include "config/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace culvert::config {
namespace {

bool IsMissing(int fd) { return fcntl(fd, F_GETFD) == -1 && errno == EBADF; }

void BeforeInitialisers(int, char**, char**) { OpenStandardDescriptors(); }

// The loader calls what is listed here before any initialiser, also those of shared libraries:
// gRPC's opens an eventfd. Only programs can have one, not shared libraries.
[[gnu::section(".preinit_array"),
  gnu::used]] void (*before_initialisers)(int, char**, char**) = BeforeInitialisers;

}  // namespace

// Nothing but system calls: the C++ library is not initialised yet.
void OpenStandardDescriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    // The lowest free number is the one that is missing.
    if (IsMissing(fd) && open("/dev/null", O_RDWR) != fd) _exit(1);
  }
}

}  // namespace culvert::config
