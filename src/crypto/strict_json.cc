#include "crypto/strict_json.h"

#include <fmt/format.h>

#include <set>
#include <vector>

namespace culvert::crypto {
namespace {

using Json = nlohmann::json;

constexpr int kMostDepth = 8;

// What the parser meets on its way, which what it builds does not show any more.
class Watch {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    if (depth > kMostDepth) is_good_ = false;
    if (event == Json::parse_event_t::object_start) names_.emplace_back();
    if (event == Json::parse_event_t::object_end) names_.pop_back();
    if (event == Json::parse_event_t::key) {
      is_good_ = names_.back().insert(parsed.get<std::string>()).second && is_good_;
    }
    return true;
  }
  bool is_good() const { return is_good_; }

 private:
  std::vector<std::set<std::string>> names_;  // of the objects that are open
  bool is_good_ = true;
};

}  // namespace

absl::StatusOr<Json> ParseStrictObject(std::string_view text) {
  // Which the parser takes for the end, whatever follows.
  if (text.find('\0') != std::string_view::npos) return absl::InvalidArgumentError("not JSON");
  Watch watch;
  Json json = Json::parse(text, std::ref(watch), /*allow_exceptions=*/false);
  if (json.is_discarded()) return absl::InvalidArgumentError("not JSON");
  if (!json.is_object()) return absl::InvalidArgumentError("no JSON object");
  if (watch.is_good()) return json;
  return absl::InvalidArgumentError("JSON with a name that is there twice, or nested too deep");
}

absl::StatusOr<std::optional<std::string>> TextMember(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return std::nullopt;
  if (!found->is_string()) return absl::InvalidArgumentError(fmt::format("{} is no text", name));
  return found->get<std::string>();
}

}  // namespace culvert::crypto
