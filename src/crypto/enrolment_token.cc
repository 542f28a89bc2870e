#include "crypto/enrolment_token.h"

#include <fmt/format.h>

#include <optional>

#include "crypto/digest.h"

namespace culvert::crypto {
namespace {

constexpr std::string_view kPrefix = "cvt1-";
constexpr size_t kFieldLetters = 52;  // 32 bytes in Base32
constexpr size_t kTextBytes = kPrefix.size() + kFieldLetters + 1 + kFieldLetters;

}  // namespace

absl::StatusOr<EnrolmentToken> EnrolmentToken::Parse(std::string_view text) {
  const auto bad = [] {
    return absl::InvalidArgumentError(
        "no enrolment token: expected cvt1-, 52 characters of a-z and 2-7, '-', and 52 more");
  };
  if (text.size() != kTextBytes || text.substr(0, kPrefix.size()) != kPrefix) return bad();
  text.remove_prefix(kPrefix.size());
  if (text[kFieldLetters] != '-') return bad();
  std::optional<std::string> secret = FromBase32(text.substr(0, kFieldLetters));
  const std::string_view fingerprint = text.substr(kFieldLetters + 1);
  if (!secret || !IsKeyId(fingerprint)) return bad();
  return EnrolmentToken{*std::move(secret), std::string(fingerprint)};
}

std::string EnrolmentToken::ToString() const {
  return fmt::format("{}{}-{}", kPrefix, Base32(secret), ca_fingerprint);
}

}  // namespace culvert::crypto
