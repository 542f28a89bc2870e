#include "forwarder/yaml_reader.h"

#include <fmt/format.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/log.h"
#include "base/status.h"
#include "forwarder/json_tree.h"

namespace culvert::forwarder {
namespace {

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

bool IsAnyOf(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool IsAllOf(std::string_view text, std::string_view bytes) {
  return !text.empty() && text.find_first_not_of(bytes) == std::string_view::npos;
}

std::string_view WithoutSign(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  return text;
}

std::optional<JsonValue> HexOrOctal(std::string_view text) {
  if (text.substr(0, 2) != "0x" && text.substr(0, 2) != "0o") return std::nullopt;
  const int base = text[1] == 'x' ? 16 : 8;
  const std::string digits(text.substr(2));
  if (!IsAllOf(digits, base == 16 ? "0123456789abcdefABCDEF" : "01234567")) return std::nullopt;
  try {
    return JsonValue(std::stoull(digits, nullptr, base));
  } catch (const std::out_of_range&) {
    return std::nullopt;
  }
}

// Digits with at most one point and an exponent: what std::strtod takes beside that is text.
bool IsDecimal(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  std::string_view mantissa = WithoutSign(text);
  const size_t e = mantissa.find_first_of("eE");
  if (e != std::string_view::npos) {
    if (!IsAllOf(WithoutSign(mantissa.substr(e + 1)), kDigits)) return false;
    mantissa = mantissa.substr(0, e);
  }
  return IsAllOf(mantissa, "0123456789.") &&
         mantissa.find_first_of(kDigits) != std::string_view::npos &&
         std::count(mantissa.begin(), mantissa.end(), '.') <= 1;
}

std::optional<JsonValue> Number(std::string_view text) {
  if (!IsDecimal(text)) return HexOrOctal(text);
  int64_t integer = 0;
  uint64_t large = 0;
  if (absl::SimpleAtoi(Absl(text), &integer)) return JsonValue(integer);
  if (absl::SimpleAtoi(Absl(text), &large)) return JsonValue(large);
  double real = 0;
  if (absl::SimpleAtod(Absl(text), &real) && std::isfinite(real)) return JsonValue(real);
  return std::nullopt;
}

// What a scalar without quotes is.
JsonValue Plain(const std::string& text) {
  if (IsAnyOf(text, {"", "~", "null", "Null", "NULL"})) return nullptr;
  if (IsAnyOf(text, {"true", "True", "TRUE"})) return true;
  if (IsAnyOf(text, {"false", "False", "FALSE"})) return false;
  std::optional<JsonValue> number = Number(text);
  return number ? *std::move(number) : JsonValue(text);
}

class Builder final : public YAML::EventHandler {
 public:
  absl::StatusOr<JsonValue> Take() {
    if (wrong_ == nullptr) return tree_.Take();
    return absl::InvalidArgumentError(wrong_);
  }
  const YAML::Mark& where() const { return where_; }
  const YAML::Mark& begin() const { return begin_; }

  void OnDocumentStart(const YAML::Mark& mark) override { begin_ = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    Note(mark, tree_.wants_key() ? "a key must be text" : nullptr);
    if (wrong_ == nullptr) Note(mark, tree_.Value(nullptr));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Note(mark, "aliases (*name) are not taken");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    if (wrong_ != nullptr) return;
    if (tree_.wants_key()) {
      Note(mark, tree_.Key(value));
    } else if (tag == "?") {
      Note(mark, tree_.Value(Plain(value)));
    } else if (tag == "!" || tag == "tag:yaml.org,2002:str") {
      Note(mark, tree_.Value(value));
    } else {
      Note(mark, "tags are not taken");
    }
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    Begin(mark, tag, JsonValue::array());
  }
  void OnSequenceEnd() override { End(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    Begin(mark, tag, JsonValue::object());
  }
  void OnMapEnd() override { End(); }

 private:
  // Only the first mistake counts, and nothing after it.
  void Note(const YAML::Mark& mark, const char* wrong) {
    if (wrong == nullptr || wrong_ != nullptr) return;
    wrong_ = wrong;
    where_ = mark;
  }
  void Begin(const YAML::Mark& mark, const std::string& tag, JsonValue empty) {
    if (!IsAnyOf(tag, {"", "?", "!"})) Note(mark, "tags are not taken");
    last_ = mark;
    if (wrong_ == nullptr) Note(mark, tree_.Begin(std::move(empty)));
  }
  void End() {
    if (wrong_ == nullptr) Note(last_, tree_.End());
  }

  JsonTree tree_;
  const char* wrong_ = nullptr;
  YAML::Mark where_;
  YAML::Mark begin_;
  YAML::Mark last_;
};

absl::Status YamlErrorAt(const std::string& name, const YAML::Mark& mark, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("{}:{}:{}: {}", Printable(name), mark.line + 1,
                                                mark.column + 1, Printable(what)));
}

}  // namespace

absl::StatusOr<std::vector<JsonValue>> ReadYaml(std::string_view text, const std::string& name) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  std::vector<JsonValue> documents;
  int last = -1;
  while (true) {
    Builder builder;
    try {
      if (!parser.HandleNextDocument(builder)) return documents;
    } catch (const YAML::DeepRecursion& error) {
      return YamlErrorAt(name, error.mark, "nested too deep");
    } catch (const YAML::Exception& error) {
      return YamlErrorAt(name, error.mark, error.msg);
    }
    // yaml-cpp 0.7 does not step over a "," that a document begins with, and finds one empty
    // document after another there.
    if (builder.begin().pos == last) return YamlErrorAt(name, builder.begin(), "unexpected token");
    last = builder.begin().pos;
    absl::StatusOr<JsonValue> document = builder.Take();
    if (!document.ok()) return YamlErrorAt(name, builder.where(), MessageOf(document.status()));
    documents.push_back(*std::move(document));
  }
}

}  // namespace culvert::forwarder
