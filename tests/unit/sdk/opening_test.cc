#include "sdk/opening.h"

#include <string>

#include "base/status.h"
#include "culvert/error_code.h"
#include "tests/support/catch.h"

namespace culvert {
namespace {

std::string Explained(const std::string& message) {
  return std::string(
      MessageOf(ExplainStreamEnd(absl::UnavailableError(message), "127.0.0.1:7400")));
}

TEST_CASE("ExplainStreamEnd says why a broker cannot be reached", "[opening]") {
  CHECK(Explained("failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:7400: "
                  "Failed to connect to remote host: Connection refused") ==
        "cannot reach broker 127.0.0.1:7400: connection refused");
  CHECK(Explained("failed to connect to all addresses; last error: UNAVAILABLE: connection attempt "
                  "timed out before receiving SETTINGS frame") ==
        "cannot reach broker 127.0.0.1:7400: no connection in time");
}

TEST_CASE("ExplainStreamEnd says that a broker is not the one it should be", "[opening]") {
  const std::string before =
      "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:7400: ";
  CHECK(Explained(before + "Custom verification check failed with error: UNAUTHENTICATED: the "
                           "broker's authority is another one") ==
        "cannot reach broker 127.0.0.1:7400: the broker's authority is another one");
  CHECK(Explained(before + "Ssl handshake failed: SSL_ERROR_SSL: error:0A000086:SSL "
                           "routines::certificate verify failed") ==
        "cannot reach broker 127.0.0.1:7400: its certificate is not of the authority that we "
        "enrolled with: wrong broker, or somebody is in between");
  CHECK(Explained(before + "Ssl handshake failed: SSL_ERROR_SSL: error:0A00010B:SSL "
                           "routines::wrong version number") ==
        "cannot reach broker 127.0.0.1:7400: no TLS there: no broker, or one with --insecure");
}

TEST_CASE("ExplainStreamEnd says that a connection was lost", "[opening]") {
  const std::string message = GENERATE("Socket closed", "recvmsg:Connection reset by peer",
                                       "keepalive watchdog timeout", "GOAWAY received");
  CHECK(Explained(message) == "lost the connection to broker 127.0.0.1:7400");
}

TEST_CASE("ExplainStreamEnd keeps the broker's own words and the code", "[opening]") {
  CHECK(Explained("broker is shutting down") == "broker 127.0.0.1:7400: broker is shutting down");
  CHECK(absl::IsUnavailable(ExplainStreamEnd(absl::UnavailableError("x"), "127.0.0.1:7400")));
  CHECK(absl::IsAborted(ExplainStreamEnd(absl::AbortedError("x"), "127.0.0.1:7400")));
}

TEST_CASE("ExplainStreamEnd lets no broker write to a terminal", "[opening]") {
  const std::string hostile = "gone\x1b[2J\x1b]52;c;eA==\x07\nculvert: all is well\xc2\x9b";
  const std::string harmless = "gone\\x1b[2J\\x1b]52;c;eA==\\x07\\nculvert: all is well\\xc2\\x9b";
  CHECK(Explained(hostile) == "broker 127.0.0.1:7400: " + harmless);
  for (const absl::StatusCode code : {absl::StatusCode::kNotFound, absl::StatusCode::kUnavailable,
                                      absl::StatusCode::kResourceExhausted}) {
    const absl::Status failure = OpeningFailure(absl::Status(code, hostile), "127.0.0.1:7400");
    CHECK(MessageOf(failure).find(harmless) != std::string_view::npos);
  }
  // What was escaped before is not again.
  CHECK(Explained("no user \"a\\x1b\"") == "broker 127.0.0.1:7400: no user \"a\\x1b\"");
}

TEST_CASE("FailedOpening says nothing twice", "[opening]") {
  const auto reason = [](const absl::Status& why) {
    return FailedOpening(0, why, MonotonicNow()).reason;
  };
  CHECK(reason(ErrorStatus(ErrorCode::kRefused, "dial 127.0.0.1:1: connection refused")) ==
        "dial 127.0.0.1:1: connection refused");
  CHECK(reason(absl::UnavailableError("cannot reach broker 127.0.0.1:1: connection refused")) ==
        "cannot reach broker 127.0.0.1:1: connection refused");
  CHECK(reason(ErrorStatus(ErrorCode::kTimeout, "")) == "timed out");
}

TEST_CASE("FailedOpening reports the code in words and nothing unprintable", "[opening]") {
  const ChannelReport report =
      FailedOpening(7, ErrorStatus(ErrorCode::kDenied, "no\nway"), MonotonicNow());
  CHECK(report.channel_id == 7);
  CHECK(report.reason == "denied: no\\nway");
  CHECK(report.duration >= std::chrono::nanoseconds(0));
}

}  // namespace
}  // namespace culvert
