#include "net/uv_error.h"

#include <cerrno>

#include "tests/support/catch.h"

namespace culvert::net {
namespace {

TEST_CASE("ErrnoStatus puts the context first and the number into a payload", "[uv_error]") {
  const absl::Status status = ErrnoStatus(ECONNREFUSED, "dial 127.0.0.1:22");
  CHECK(absl::IsUnavailable(status));
  CHECK(status.message() == "dial 127.0.0.1:22: connection refused");
  CHECK(ErrnoOf(status) == ECONNREFUSED);
}

TEST_CASE("ErrnoStatus makes a reset ABORTED", "[uv_error]") {
  CHECK(absl::IsAborted(ErrnoStatus(ECONNRESET)));
  CHECK(ErrnoStatus(ECONNRESET).message() == "connection reset by peer");
  CHECK(absl::IsAborted(ErrnoStatus(EPIPE)));
}

TEST_CASE("ErrnoText keeps acronyms", "[uv_error]") {
  CHECK(ErrnoText(EADDRINUSE) == "address already in use");
  CHECK(ErrnoText(EDOTDOT) == "RFS specific error");
}

TEST_CASE("ErrnoOf finds nothing in other statuses", "[uv_error]") {
  CHECK_FALSE(ErrnoOf(absl::OkStatus()).has_value());
  CHECK_FALSE(ErrnoOf(absl::UnavailableError("connection refused")).has_value());
}

}  // namespace
}  // namespace culvert::net
