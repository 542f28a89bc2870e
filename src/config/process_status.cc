#include "config/process_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/log.h"

namespace culvert::config {
namespace {

using Json = nlohmann::ordered_json;

std::string_view StateName(ProcessStatus::State state) {
  switch (state) {
    case ProcessStatus::State::kRunning:
      return "running";
    case ProcessStatus::State::kHandedOver:
      return "handed over";
    case ProcessStatus::State::kDraining:
      return "draining";
  }
  return "unknown";
}

int64_t Millis(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

Json MillisOrNull(const std::optional<Duration>& duration) {
  return duration ? Json(Millis(*duration)) : Json();
}

const char* PathName(const ChannelStatus& channel) {
  if (channel.suspended) return "suspended";
  return channel.stitched ? "stitched" : "stream";
}

Json ChannelJson(const ChannelStatus& channel) {
  Json round_trip;
  if (channel.round_trip) {
    const int64_t micros = channel.round_trip->count() / 1'000;
    round_trip = static_cast<double>(micros) / 1'000.0;
  }
  return {{"id", fmt::format("{:x}", channel.channel_id)},
          {"peer", channel.peer},
          {"service", channel.service},
          {"target", channel.arg},
          {"encrypted", channel.encrypted},
          {"path", PathName(channel)},
          {"suspended_ms", MillisOrNull(channel.suspended)},
          {"resumes", channel.resumes},
          {"round_trip_ms", round_trip},
          {"send_window", channel.send_window},
          {"receive_window", channel.receive_window},
          {"unacknowledged", channel.unacknowledged},
          {"sent", channel.bytes_sent},
          {"received", channel.bytes_received},
          {"age_ms", Millis(channel.age)}};
}

// --- reading what another process, perhaps of another version, has said ---

std::string TextOf(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? Printable(found->get<std::string>()) : "-";
}

double NumberOf(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

bool HasNumber(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_number();
}

Json PartOf(const Json& object, const char* key) {
  return object.contains(key) ? object[key] : Json();
}

absl::StatusOr<Json> ReadObject(const std::string& text) {
  Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (object.is_object()) return object;
  return absl::InvalidArgumentError("the answer is no JSON object");
}

// "1.5 MiB".
std::string Size(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

// "12.3s", "5m07s", "3h05m", "2d03h".
std::string Time(double millis) {
  if (millis < 60'000) return fmt::format("{:.1f}s", millis / 1000);
  const auto seconds = static_cast<uint64_t>(std::min(millis / 1000, 1e12));
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  if (seconds < 86'400) return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{}d{:02}h", seconds / 86'400, seconds / 3600 % 24);
}

std::string BrokerText(const Json& broker) {
  const Json reached = broker.is_object() ? PartOf(broker, "reached") : Json();
  const char* state = "not tried";
  if (reached.is_boolean()) state = reached.get<bool>() ? "reached" : "not reached";
  return fmt::format("  broker {}: {} for {}\n", TextOf(broker, "address"), state,
                     Time(NumberOf(broker, "since_ms")));
}

constexpr const char* kRow =
    "  {:<16} {:<24} {:<28} {:<17} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7}\n";

std::string ChannelRow(const Json& channel) {
  const auto size = [&channel](const char* key) { return Size(NumberOf(channel, key)); };
  std::string path = TextOf(channel, "path");
  if (HasNumber(channel, "suspended_ms")) path += " " + Time(NumberOf(channel, "suspended_ms"));
  if (PartOf(channel, "encrypted") == Json(false)) path += ", clear";
  const std::string round_trip = HasNumber(channel, "round_trip_ms")
                                     ? fmt::format("{:.1f} ms", NumberOf(channel, "round_trip_ms"))
                                     : "-";
  return fmt::format(kRow, TextOf(channel, "id"), TextOf(channel, "peer"),
                     fmt::format("{} {}", TextOf(channel, "service"), TextOf(channel, "target")),
                     path, round_trip, size("send_window"), size("receive_window"),
                     size("unacknowledged"), size("sent"), size("received"),
                     Time(NumberOf(channel, "age_ms")),
                     fmt::format("{:.0f}", NumberOf(channel, "resumes")));
}

}  // namespace

std::string StatusJson(ProcessStatus status) {
  std::sort(status.channels.begin(), status.channels.end(),
            [](const auto& a, const auto& b) { return a.age > b.age; });
  Json channels = Json::array();
  for (const ChannelStatus& channel : status.channels) channels.push_back(ChannelJson(channel));
  Json object = {{"program", status.program},
                 {"command", status.command},
                 {"state", StateName(status.state)},
                 {"pid", status.pid},
                 {"version", status.version},
                 {"age_ms", Millis(status.age)},
                 {"name", status.name},
                 {"project", status.project},
                 {"broker",
                  {{"address", status.broker},
                   {"reached", status.broker_reached ? Json(*status.broker_reached) : Json()},
                   {"since_ms", Millis(status.broker_since)}}}};
  if (status.is_agent) {
    object["session"] =
        status.session_id == 0 ? Json() : Json(fmt::format("{:x}", status.session_id));
  }
  object["memory"] = {{"used", status.memory_used}, {"limit", status.memory_limit}};
  object["channels"] = std::move(channels);
  // What a peer says may be no UTF-8.
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<std::string> StatusText(const std::string& json) {
  const absl::StatusOr<Json> object = ReadObject(json);
  if (!object.ok()) return object.status();
  const std::string session =
      object->contains("session") ? fmt::format(", session {}", TextOf(*object, "session")) : "";
  const Json memory = PartOf(*object, "memory");
  std::string text = fmt::format("{} {} (pid {:.0f}, version {}): {} for {}\n  {} of {}{}\n",
                                 TextOf(*object, "program"), TextOf(*object, "command"),
                                 NumberOf(*object, "pid"), TextOf(*object, "version"),
                                 TextOf(*object, "state"), Time(NumberOf(*object, "age_ms")),
                                 TextOf(*object, "name"), TextOf(*object, "project"), session);
  text += BrokerText(PartOf(*object, "broker"));
  text += fmt::format("  memory {} of {}\n", Size(NumberOf(memory, "used")),
                      Size(NumberOf(memory, "limit")));
  const Json channels = PartOf(*object, "channels");
  if (!channels.is_array() || channels.empty()) return text + "  no channels\n";
  text += fmt::format(kRow, "CHANNEL", "PEER", "TARGET", "PATH", "RTT", "SEND WIN", "RECV WIN",
                      "UNACKED", "SENT", "RECEIVED", "AGE", "RESUMES");
  for (const Json& channel : channels) text += ChannelRow(channel);
  return text;
}

absl::StatusOr<std::string> StatusLine(const std::string& json) {
  const absl::StatusOr<Json> object = ReadObject(json);
  if (!object.ok()) return object.status();
  return object->dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace culvert::config
