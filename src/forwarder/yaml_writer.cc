#include "forwarder/yaml_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"

namespace culvert::forwarder {
namespace {

// A longer key needs a "?" in front.
constexpr size_t kMostKeyBytes = 1000;

// What some version of YAML takes for something else.
constexpr std::array<std::string_view, 9> kWords = {"null", "true", "false", "yes", "no",
                                                    "on",   "off",  "y",     "n"};

bool IsWordByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' ||
         c == '/' || c == '@';
}

// Whether no parser needs quotes to see that it is text.
bool IsPlain(const std::string& text) {
  if (text.empty() || !absl::ascii_isalpha(static_cast<unsigned char>(text[0]))) return false;
  if (!std::all_of(text.begin(), text.end(), IsWordByte)) return false;
  return std::find(kWords.begin(), kWords.end(), absl::AsciiStrToLower(text)) == kWords.end();
}

// Escapes what JSON leaves as it is and a terminal obeys (C1, DEL) or YAML takes for the end of a
// line or of nothing (NEL, the separators, the byte order mark). All of it is inside quotes.
std::string EscapeRest(const std::string& json) {
  std::string text;
  text.reserve(json.size());
  for (size_t i = 0; i < json.size(); ++i) {
    const auto at = [&json, i](size_t n) {
      return i + n < json.size() ? static_cast<unsigned char>(json[i + n]) : 0U;
    };
    unsigned code = 0;
    size_t more = 0;
    if (at(0) == 0x7f) {
      code = 0x7f;
    } else if (at(0) == 0xc2 && at(1) <= 0x9f) {
      std::tie(code, more) = std::pair(at(1), 1U);
    } else if (at(0) == 0xe2 && at(1) == 0x80 && (at(2) & 0xfeU) == 0xa8) {
      std::tie(code, more) = std::pair(0x2000U | (at(2) - 0x80U), 2U);
    } else if (at(0) == 0xef && at(1) == 0xbb && at(2) == 0xbf) {
      std::tie(code, more) = std::pair(0xfeffU, 2U);
    }
    if (code == 0) {
      text += json[i];
      continue;
    }
    text += fmt::format("\\u{:04x}", code);
    i += more;
  }
  return text;
}

std::string Scalar(const JsonValue& value) {
  if (value.is_string() && IsPlain(value.get_ref<const std::string&>())) {
    return value.get<std::string>();
  }
  return WriteJson(value, -1);
}

bool IsBlock(const JsonValue& value) { return value.is_structured() && !value.empty(); }

void AppendBlock(const JsonValue& value, size_t indent, std::string* text);

// What follows "key:" or "-".
void AppendMember(const JsonValue& value, size_t indent, std::string* text) {
  if (IsBlock(value)) {
    *text += '\n';
    AppendBlock(value, indent, text);
  } else {
    *text += ' ' + Scalar(value) + '\n';
  }
}

void AppendBlock(const JsonValue& value, size_t indent, std::string* text) {
  const std::string margin(indent, ' ');
  if (value.is_array()) {
    for (const JsonValue& element : value) {
      *text += margin + '-';
      AppendMember(element, indent + 2, text);
    }
    return;
  }
  for (const auto& [key, member] : value.items()) {
    const std::string name = Scalar(key);
    if (name.size() > kMostKeyBytes) {
      *text += fmt::format("{0}? {1}\n{0}:", margin, name);
    } else {
      *text += fmt::format("{}{}:", margin, name);
    }
    AppendMember(member, indent + 2, text);
  }
}

}  // namespace

std::string WriteYaml(const JsonValue& value) {
  if (!IsBlock(value)) return Scalar(value) + '\n';
  std::string text;
  AppendBlock(value, 0, &text);
  return text;
}

std::string WriteJson(const JsonValue& value, int indent) {
  return EscapeRest(
      value.dump(indent, ' ', /*ensure_ascii=*/false, JsonValue::error_handler_t::replace));
}

}  // namespace culvert::forwarder
