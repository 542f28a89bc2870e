#include "config/config_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "net/unique_fd.h"

namespace culvert::config {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 20;
// For a pipe as a whole: somebody may be decrypting at its other end, but a reload must not hold up
// the loop for ever.
constexpr Duration kPipePatience = std::chrono::seconds(5);

std::string Where(std::string_view path, const toml::source_position& at) {
  return fmt::format("{}:{}:{}", path, at.line, at.column);
}

// Fills the type and the text of `value` from `node`, not what it contains.
void SetScalar(const toml::node& node, FileValue& value) {
  if (const auto* string = node.as_string()) {
    value.type = FileValue::Type::kString;
    value.type_name = "a string";
    value.text = string->get();
  } else if (const auto* integer = node.as_integer()) {
    value.type = FileValue::Type::kInteger;
    value.type_name = "an integer";
    value.text = fmt::format("{}", integer->get());
  } else if (const auto* boolean = node.as_boolean()) {
    value.type = FileValue::Type::kBoolean;
    value.type_name = "a boolean";
    value.text = boolean->get() ? "true" : "false";
  } else {
    value.type = FileValue::Type::kOther;
    value.type_name = node.is_floating_point() ? "a float" : "a date or time";
  }
}

// toml++'s descriptions quote what they found, some of it escaped and some not.
std::string OneLine(std::string_view description) {
  std::string line(description);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return line;
}

FileValue ValueOf(const toml::node& node, std::string_view path);

// In the order of the file: a toml::table is sorted by key, and the first mistake is to be told
// first.
void AddMembers(const toml::table& table, std::string_view path, FileValue& value) {
  struct Member {
    const toml::key* key;
    const toml::node* node;
  };
  std::vector<Member> members;
  for (const auto& [key, node] : table) members.push_back({&key, &node});
  std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
    const toml::source_position& left = a.key->source().begin;
    const toml::source_position& right = b.key->source().begin;
    return std::tie(left.line, left.column) < std::tie(right.line, right.column);
  });
  for (const Member& member : members) {
    FileValue child = ValueOf(*member.node, path);
    child.key = std::string(member.key->str());
    value.children.push_back(std::move(child));
  }
}

// toml++ bounds the depth of nesting (TOML_MAX_NESTED_VALUES), and so this recursion.
FileValue ValueOf(const toml::node& node, std::string_view path) {  // NOLINT(misc-no-recursion)
  FileValue value;
  value.where = Where(path, node.source().begin);
  if (const toml::table* table = node.as_table()) {
    value.type_name = "a table";
    AddMembers(*table, path, value);
  } else if (const toml::array* array = node.as_array()) {
    value.type = FileValue::Type::kArray;
    value.type_name = "an array";
    for (const toml::node& element : *array) value.children.push_back(ValueOf(element, path));
  } else {
    SetScalar(node, value);
  }
  return value;
}

absl::Status ReadFailure(const std::string& path, int error) {
  const absl::StatusCode code = error == ENOENT || error == ENOTDIR
                                    ? absl::StatusCode::kNotFound
                                    : absl::StatusCode::kInvalidArgument;
  return MakeStatus(code, fmt::format("read config file {}: {}", Printable(path),
                                      std::generic_category().message(error)));
}

}  // namespace

const FileValue* FileValue::Find(std::string_view name) const {
  const auto found = std::find_if(children.begin(), children.end(),
                                  [name](const FileValue& child) { return child.key == name; });
  return found == children.end() ? nullptr : &*found;
}

absl::StatusOr<FileValue> ParseConfigText(std::string_view content, std::string_view path) {
  try {
    return ValueOf(toml::parse(content), path);
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}", Where(path, error.source().begin), OneLine(error.description())));
  }
}

absl::StatusOr<FileValue> ReadConfigFile(const std::string& path) {
  // Without O_NONBLOCK a FIFO that nobody writes to would hold up the open.
  const net::UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) return ReadFailure(path, errno);
  std::string content(kMaxFileBytes + 1, '\0');
  size_t size = 0;
  const MonotonicTime deadline = MonotonicNow() + kPipePatience;
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - MonotonicNow());
    pollfd ready{.fd = file.get(), .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || poll(&ready, 1, static_cast<int>(left.count())) == 0)
      return ReadFailure(path, ETIMEDOUT);
    const ssize_t got = read(file.get(), content.data() + size, content.size() - size);
    if (got < 0 && errno != EINTR && errno != EAGAIN) return ReadFailure(path, errno);
    size += static_cast<size_t>(std::max<ssize_t>(got, 0));
    if (size > kMaxFileBytes) return ReadFailure(path, EFBIG);
    if (got == 0) return ParseConfigText({content.data(), size}, path);
  }
}

}  // namespace culvert::config
