#include "forwarder/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "forwarder/json_tree.h"
#include "forwarder/yaml_reader.h"

namespace culvert::forwarder {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

absl::Status ErrorAt(const std::string& name, std::string_view text, size_t at,
                     std::string_view what) {
  const std::string_view before = text.substr(0, std::min(at, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
  return absl::InvalidArgumentError(fmt::format("{}:{}:{}: {}", Printable(name), line,
                                                before.size() - start + 1, Printable(what)));
}

// Bytes of the UTF-8 character that begins at `at`; 0 if none does.
size_t Utf8Length(std::string_view text, size_t at) {
  const auto byte = [&text, at](size_t n) -> unsigned {
    return at + n < text.size() ? static_cast<unsigned char>(text[at + n]) : 0U;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  // Longer than it has to be, half of a pair, or beyond the last character.
  const unsigned second = byte(1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
      (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) {
    return 0;
  }
  for (size_t n = 1; n < length; ++n) {
    if ((byte(n) & 0xc0U) != 0x80) return 0;
  }
  return length;
}

absl::Status CheckUtf8(std::string_view text, const std::string& name) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = Utf8Length(text, at);
    if (length == 0) return ErrorAt(name, text, at, "not UTF-8");
    at += length;
  }
  return absl::OkStatus();
}

// The end of the JSON value that begins at `start`, by its brackets.
size_t EndOfValue(std::string_view text, size_t start) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = start; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return text.size();
}

// Takes what nlohmann's parser meets.
class JsonHandler {
 public:
  using number_integer_t = JsonValue::number_integer_t;
  using number_unsigned_t = JsonValue::number_unsigned_t;
  using number_float_t = JsonValue::number_float_t;
  using string_t = JsonValue::string_t;
  using binary_t = JsonValue::binary_t;

  bool null() { return Note(tree_.Value(nullptr)); }
  bool boolean(bool value) { return Note(tree_.Value(value)); }
  bool number_integer(number_integer_t value) { return Note(tree_.Value(value)); }
  bool number_unsigned(number_unsigned_t value) { return Note(tree_.Value(value)); }
  bool number_float(number_float_t value, const string_t&) { return Note(tree_.Value(value)); }
  bool string(string_t& value) { return Note(tree_.Value(std::move(value))); }
  bool binary(binary_t&) { return Note("no text"); }
  bool start_object(size_t) { return Note(tree_.Begin(JsonValue::object())); }
  bool key(string_t& key) { return Note(tree_.Key(key)); }
  bool end_object() { return Note(tree_.End()); }
  bool start_array(size_t) { return Note(tree_.Begin(JsonValue::array())); }
  bool end_array() { return Note(tree_.End()); }
  bool parse_error(size_t position, const string_t&, const JsonValue::exception& error) {
    position_ = position == 0 ? 0 : position - 1;
    // "[…] parse error at line 1, column 2: what is wrong".
    const std::string_view text = error.what();
    const size_t column = text.find("column ");
    const size_t colon = column == std::string_view::npos ? column : text.find(": ", column);
    wrong_ = colon == std::string_view::npos ? text : text.substr(colon + 2);
    return false;
  }

  const std::string& wrong() const { return wrong_; }
  size_t position() const { return position_; }
  JsonValue Take() { return tree_.Take(); }

 private:
  bool Note(const char* wrong) {
    if (wrong == nullptr) return true;
    wrong_ = wrong;
    return false;
  }

  JsonTree tree_;
  std::string wrong_;
  size_t position_ = 0;
};

absl::StatusOr<std::vector<JsonValue>> ReadJson(std::string_view text, const std::string& name) {
  std::vector<JsonValue> values;
  size_t start = text.find_first_not_of(kBlanks);
  while (start != std::string_view::npos) {
    const size_t end = EndOfValue(text, start);
    JsonHandler handler;
    if (!JsonValue::sax_parse(text.substr(start, end - start), &handler)) {
      return ErrorAt(name, text, start + handler.position(), handler.wrong());
    }
    values.push_back(handler.Take());
    start = text.find_first_not_of(kBlanks, end);
  }
  return values;
}

absl::StatusOr<std::vector<JsonValue>> ReadEither(std::string_view text, const std::string& name) {
  const size_t start = text.find_first_not_of(kBlanks);
  const bool is_json =
      start != std::string_view::npos && (text[start] == '{' || text[start] == '[');
  if (is_json) {
    absl::StatusOr<std::vector<JsonValue>> json = ReadJson(text, name);
    // What begins so may be YAML in its flow style.
    if (json.ok() || text.size() > kMostYamlBytes) return json;
    absl::StatusOr<std::vector<JsonValue>> yaml = ReadYaml(text, name);
    return yaml.ok() ? yaml : json;
  }
  if (text.size() <= kMostYamlBytes) return ReadYaml(text, name);
  return absl::InvalidArgumentError(
      fmt::format("{} has more than {} bytes of YAML: split it", Printable(name), kMostYamlBytes));
}

}  // namespace

absl::StatusOr<std::vector<JsonValue>> ReadDocuments(std::string_view text,
                                                     const std::string& name) {
  CULVERT_RETURN_IF_ERROR(CheckUtf8(text, name));
  CULVERT_ASSIGN_OR_RETURN(std::vector<JsonValue> values, ReadEither(text, name));
  std::vector<JsonValue> objects;
  for (JsonValue& value : values) {
    if (value.is_array()) {
      for (JsonValue& element : value) objects.push_back(std::move(element));
    } else if (!value.is_null()) {
      objects.push_back(std::move(value));
    }
  }
  for (size_t i = 0; i < objects.size(); ++i) {
    if (objects[i].is_object()) continue;
    return absl::InvalidArgumentError(
        fmt::format("{}: number {} is not an object", Printable(name), i + 1));
  }
  if (!objects.empty()) return objects;
  return absl::InvalidArgumentError(fmt::format("{} has nothing in it", Printable(name)));
}

}  // namespace culvert::forwarder
