#include "resource/like.h"

#include <algorithm>
#include <bitset>
#include <functional>
#include <map>
#include <string>

namespace culvert::resource {
namespace {

size_t CharacterBytes(std::string_view text) {
  size_t bytes = 1;
  while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xc0U) == 0x80U) ++bytes;
  return bytes;
}

// How far the first element of a pattern reaches, in it and in the text; zero if it does not fit.
struct Step {
  size_t pattern = 0;
  size_t text = 0;
};

// Neither `pattern`, which does not begin with %, nor `text` is empty.
Step FirstStep(std::string_view pattern, std::string_view text) {
  if (pattern.front() == '_') return {1, CharacterBytes(text)};
  const size_t escape = pattern.front() == '\\' && pattern.size() > 1 ? 1 : 0;
  if (pattern[escape] != text.front()) return {};
  return {escape + 1, 1};
}

// On a mismatch only the last % has to take one character more: what an earlier one could take
// instead, the last one can as well.
bool MatchesStepByStep(std::string_view pattern, std::string_view text) {
  size_t at = 0;
  size_t star = std::string_view::npos;  // what follows the last % passed, and
  size_t taken = 0;                      // where in `text` that begins
  for (size_t i = 0; i < text.size();) {
    if (at < pattern.size() && pattern[at] == '%') {
      star = ++at;
      taken = i;
      continue;
    }
    const Step step = at < pattern.size() ? FirstStep(pattern.substr(at), text.substr(i)) : Step{};
    if (step.pattern > 0) {
      at += step.pattern;
      i += step.text;
    } else if (star != std::string_view::npos) {
      at = star;
      taken += CharacterBytes(text.substr(taken));
      i = taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('%', at) == std::string_view::npos;
}

// Which elements of a pattern are next, all at once: bit n says that the n before it have matched.
using States = std::bitset<kMostPatternBytes + 1>;

// The pattern without its %: what each element takes, and before which there was one.
class Automaton {
 public:
  explicit Automaton(std::string_view pattern) {
    while (!pattern.empty()) {
      if (pattern.front() == '%') {
        stays_.set(elements_);
        pattern.remove_prefix(1);
      } else if (pattern.front() == '_') {
        any_.set(elements_++);
        pattern.remove_prefix(1);
      } else {
        if (pattern.front() == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
        const size_t bytes = CharacterBytes(pattern);
        takes_[std::string(pattern.substr(0, bytes))].set(elements_++);
        pattern.remove_prefix(bytes);
      }
    }
  }

  bool Matches(std::string_view text) const {
    States states;
    states.set(0);
    while (!text.empty() && states.any()) {
      const size_t bytes = CharacterBytes(text);
      States takes = any_;
      if (const auto found = takes_.find(text.substr(0, bytes)); found != takes_.end()) {
        takes |= found->second;
      }
      states = ((states & takes) << 1) | (states & stays_);
      text.remove_prefix(bytes);
    }
    return states.test(elements_);
  }

 private:
  size_t elements_ = 0;
  States stays_;
  States any_;
  std::map<std::string, States, std::less<>> takes_;  // by character
};

// A pattern and a text that are worth an automaton.
constexpr size_t kManySteps = size_t{64} * 1024;

}  // namespace

absl::Status CheckLikePattern(std::string_view pattern) {
  if (pattern.size() > kMostPatternBytes) {
    return absl::InvalidArgumentError("a pattern has at most 256 bytes");
  }
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '\\') continue;
    if (++i == pattern.size() || std::string_view("%_\\").find(pattern[i]) == std::string::npos) {
      return absl::InvalidArgumentError(
          "in a pattern, a backslash stands in front of %, _ or another one");
    }
  }
  return absl::OkStatus();
}

bool LikeMatches(std::string_view pattern, std::string_view text) {
  return pattern.size() * text.size() <= kManySteps ? MatchesStepByStep(pattern, text)
                                                    : Automaton(pattern).Matches(text);
}

}  // namespace culvert::resource
