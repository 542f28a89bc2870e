// What the other end of a channel hears of why it failed at this one.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/cord.h"

namespace culvert {

inline constexpr char kPeerWordsUrl[] = "culvert.dev/peer-words";

// `why` with words of its own for the peer, which is not to hear the others: which keys this end
// knows is nobody else's business.
inline absl::Status TellingPeer(absl::Status why, const std::string& words) {
  why.SetPayload(kPeerWordsUrl, absl::Cord(words));
  return why;
}

// Nothing: the peer hears what everybody hears.
inline std::optional<std::string> WordsForPeer(const absl::Status& why) {
  const auto words = why.GetPayload(kPeerWordsUrl);
  return words ? std::optional<std::string>(std::string(*words)) : std::nullopt;
}

}  // namespace culvert
