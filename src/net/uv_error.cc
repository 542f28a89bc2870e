#include "net/uv_error.h"

#include <cerrno>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "base/status.h"

namespace culvert::net {
namespace {

constexpr char kErrnoPayload[] = "culvert/errno";

absl::StatusCode CodeOf(int error_number) {
  switch (error_number) {
    case ECONNRESET:
    case EPIPE:
      return absl::StatusCode::kAborted;
    case EADDRNOTAVAIL:  // out of ports, or the address is not up yet; Abseil calls it
                         // ALREADY_EXISTS
      return absl::StatusCode::kUnavailable;
    default:
      return absl::ErrnoToStatusCode(error_number);
  }
}

}  // namespace

std::string ErrnoText(int error_number) {
  std::string text = std::generic_category().message(error_number);
  // "Connection refused" but not "RPC version wrong": an acronym keeps its capitals.
  if (text.size() > 1 && absl::ascii_islower(static_cast<unsigned char>(text[1]))) {
    text[0] = absl::ascii_tolower(static_cast<unsigned char>(text[0]));
  }
  return text;
}

absl::Status StatusWithErrno(absl::StatusCode code, std::string_view message, int error_number) {
  absl::Status status = MakeStatus(code, std::string(message));
  status.SetPayload(kErrnoPayload, absl::Cord(std::to_string(error_number)));
  return status;
}

absl::Status ErrnoStatus(int error_number, std::string_view context) {
  return StatusWithErrno(CodeOf(error_number),
                         fmt::format("{}: {}", context, ErrnoText(error_number)), error_number);
}

absl::Status ErrnoStatus(int error_number) {
  return StatusWithErrno(CodeOf(error_number), ErrnoText(error_number), error_number);
}

std::optional<int> ErrnoOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrnoPayload);
  int error_number = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &error_number)) return std::nullopt;
  return error_number;
}

}  // namespace culvert::net
