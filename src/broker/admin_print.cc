#include "broker/admin_print.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"

namespace culvert::broker {
namespace {

struct Column {
  const char* title;
  const char* key;
};

std::string Cell(const Json& value);

std::string ListCell(const Json& list) {
  std::string text;
  for (const Json& item : list) text += (text.empty() ? "" : ", ") + Cell(item);
  return text.empty() ? "-" : text;
}

std::string Cell(const Json& value) {
  if (value.is_array()) return ListCell(value);
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_object()) {  // a subject
    return fmt::format("{}:{}", Cell(value.value("kind", Json())),
                       Cell(value.value("name", Json())));
  }
  if (!value.is_string()) return value.is_null() ? "-" : value.dump();
  // The end says it all.
  constexpr std::string_view kPermission = "services/proxies.edgelq.com/permissions/projects.";
  auto text = value.get<std::string>();
  if (text.compare(0, kPermission.size(), kPermission) == 0) text.erase(0, kPermission.size());
  return Printable(text);
}

std::vector<Column> ColumnsOf(const std::string& command) {
  if (command == "token list") {
    return {{"ID", "id"},       {"ROLE", "role"},       {"NAME", "name"},
            {"STATE", "state"}, {"EXPIRES", "expires"}, {"USED BY", "used_by"}};
  }
  if (command == "policy list") {
    return {{"SUBJECT", "subject"}, {"ROLE", "role"},     {"AGENT", "agent"},
            {"SERVICE", "service"}, {"TARGET", "target"}, {"SINCE", "created"}};
  }
  if (command == "ca requests") {
    return {{"ROLE", "role"},
            {"NAME", "name"},
            {"KEY", "key"},
            {"PROJECT", "project"},
            {"ASKED", "asked"}};
  }
  if (command == "group list") return {{"GROUP", "name"}, {"MEMBERS", "members"}};
  if (command == "role list") {
    return {{"ROLE", "name"}, {"BUILT IN", "built_in"}, {"PERMISSIONS", "permissions"}};
  }
  if (command == "issuer list") {
    return {{"ISSUER", "issuer"}, {"PROJECT", "project"}, {"AUDIENCES", "audiences"},
            {"CLAIM", "claim"},   {"KEYS", "keys"},       {"FROM", "jwks"}};
  }
  if (command == "quota list") {
    return {{"PROJECT", "project"},
            {"AGENTS", "agents"},
            {"CHANNELS", "channels"},
            {"BYTES/S", "bytes_per_second"},
            {"NEW CHANNELS/S", "new_channels_per_second"}};
  }
  if (command == "channels list") {
    return {{"CHANNEL", "id"},      {"CONSUMER", "consumer"}, {"AGENT", "agent"},
            {"SERVICE", "service"}, {"TARGET", "target"},     {"PATH", "path"},
            {"SINCE", "since"},     {"UP", "bytes_up"},       {"DOWN", "bytes_down"}};
  }
  if (command == "service-account list") {
    return {{"NAME", "name"}, {"KID", "kid"}, {"ALGORITHM", "algorithm"}, {"SINCE", "created"}};
  }
  return {{"ROLE", "role"},       {"NAME", "name"},      {"KEY", "key"}, {"ENROLLED", "enrolled"},
          {"EXPIRES", "expires"}, {"REVOKED", "revoked"}};  // principal list
}

// "3/100": what there is of what may be.
Json WithUse(Json quotas) {
  for (Json& quota : quotas) {
    const Json use = quota.value("use", Json());
    if (!use.is_object()) continue;
    for (const auto& [what, number] : use.items()) {
      const std::string limit = quota.contains(what) ? Cell(quota[what]) : "-";
      quota[what] = fmt::format("{}/{}", Cell(number), limit);
    }
  }
  return quotas;
}

std::string TableOf(const std::vector<Column>& columns, const Json& list) {
  std::vector<std::vector<std::string>> rows(1);
  for (const Column& column : columns) rows[0].emplace_back(column.title);
  for (const Json& item : list) {
    std::vector<std::string>& row = rows.emplace_back();
    for (const Column& column : columns) row.push_back(Cell(item.value(column.key, Json())));
  }
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      size_t width = 0;
      for (const auto& other : rows) width = std::max(width, other[i].size());
      text += i + 1 == row.size() ? row[i] + "\n" : fmt::format("{:<{}}", row[i], width + 2);
    }
  }
  return text;
}

std::string JsonLines(const Json& list) {
  std::string text;
  for (const Json& item : list) text += item.dump() + "\n";
  return text;
}

}  // namespace

std::string DescribeResult(const std::string& command, const Json& result, Format format) {
  if (result.is_array()) {
    if (format == Format::kJson) return JsonLines(result);
    return TableOf(ColumnsOf(command), command == "quota list" ? WithUse(result) : result);
  }
  if (command == "token create") return result.value("token", "") + "\n";
  if (command == "service-account add") {
    if (format == Format::kJson) return result.dump() + "\n";
    return fmt::format("iss and sub: {}\nkid: {}\n", Cell(result["spiffe_id"]),
                       Cell(result["kid"]));
  }
  if (command == "channels kill") {
    if (result.value("live", true)) return "";
    return fmt::format("channel {} is not open here; its resume is refused from now on\n",
                       Cell(result["id"]));
  }
  if (!result.contains("keys")) return "";  // of revoke and service-account remove
  std::string text;
  for (const Json& key : result["keys"]) text += fmt::format("revoked {}\n", Cell(key));
  for (const Json& key : result.value("successors", Json::array())) {
    text += fmt::format(
        "key {} succeeded it: revoke it too if the old one was stolen (revoke --key {})\n",
        Cell(key), Cell(key));
  }
  for (const Json& one : result.value("shared", Json::array())) {
    text += fmt::format("warning: key {} is also that of {} of projects/{}\n", Cell(one["key"]),
                        Cell(one["with"]), Cell(one["project"]));
  }
  return text;
}

}  // namespace culvert::broker
