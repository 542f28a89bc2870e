#include "broker/announcement.h"

#include <fmt/format.h>

namespace culvert::broker {

std::string Announcement::ToText() const {
  std::string lines;
  for (const auto& address : control) lines += fmt::format("listening on {}\n", address.ToString());
  if (data_port) lines += fmt::format("data port {}\n", *data_port);
  for (const auto& address : web) lines += fmt::format("web {}\n", address.ToString());
  if (!authority.empty()) lines += fmt::format("CA fingerprint {}\n", authority);
  return lines;
}

std::string Announcement::ToJsonLines() const {
  std::string lines;
  const auto add = [&lines](const char* event, const char* key, const std::string& value) {
    lines += fmt::format("{{\"event\":\"{}\",\"{}\":{}}}\n", event, key, value);
  };
  const auto quoted = [](const std::string& text) { return fmt::format("\"{}\"", text); };
  for (const auto& address : control) add("listening", "address", quoted(address.ToString()));
  if (data_port) add("data_port", "port", fmt::format("{}", *data_port));
  for (const auto& address : web) add("web", "address", quoted(address.ToString()));
  if (!authority.empty()) add("authority", "fingerprint", quoted(authority));
  return lines;
}

}  // namespace culvert::broker
