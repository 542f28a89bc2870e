// Live channels, for administrators.
#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "broker/admin_commands.h"
#include "tunnel/message.h"

namespace culvert::broker {
namespace {

// Longer targets are cut: those of tcp have at most 300 bytes.
constexpr size_t kMostTargetBytes = 300;

Json ChannelJson(const LiveChannel& channel) {
  return {{"id", fmt::format("{:x}", channel.id)},
          {"project", channel.project},
          {"consumer", channel.consumer},
          {"address", channel.address},
          {"agent", channel.agent},
          {"service", channel.service},
          {"target", tunnel::CutText(channel.target, kMostTargetBytes)},
          {"path", channel.stitched ? "stitched" : "stream"},
          {"since", FormatTime(channel.since)},
          {"bytes_up", channel.bytes_up},
          {"bytes_down", channel.bytes_down}};
}

absl::StatusOr<uint64_t> TakeChannelId(AdminCall& call) {
  CULVERT_ASSIGN_OR_RETURN(const std::string text, call.args.TakeText("id"));
  uint64_t id = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, id, 16);
  if (error == std::errc() && stopped == end && id != 0) return id;
  return absl::InvalidArgumentError(
      fmt::format("channel \"{}\": expected its ID as channels list and the logs tell it, such as "
                  "5d2f0a9c41b7e386",
                  Printable(text)));
}

}  // namespace

absl::StatusOr<AdminOutcome> ListChannels(AdminCall& call) {
  const std::string project = TakeProject(call);
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  Json list = Json::array();
  for (const LiveChannel& channel : call.channels.list(project)) {
    list.push_back(ChannelJson(channel));
  }
  return AdminOutcome{std::move(list)};
}

absl::StatusOr<AdminOutcome> KillChannel(AdminCall& call) {
  CULVERT_ASSIGN_OR_RETURN(const uint64_t id, TakeChannelId(call));
  CULVERT_RETURN_IF_ERROR(call.args.Finish());
  // First: the consumer comes back with its ticket at once.
  const absl::Status kept = call.store.killed_channels().Add(id, call.now);
  const std::optional<LiveChannel> ended = call.channels.kill(id);
  if (!kept.ok()) return Annotate(kept, "killed until the broker ends, but not for longer");

  AuditEvent event = AdminEvent(call, AuditKind::kKill, "", "killed");
  event.channel = fmt::format("{:x}", id);
  if (ended) {
    event.project = ended->project;
    event.agent = ended->agent;
    event.service = ended->service;
    event.target = ended->target;
    event.reason = "killed: of " + ended->consumer;
  }
  return AdminOutcome{
      {{"id", event.channel}, {"live", ended.has_value()}}, AdminChange::kNone, std::move(event)};
}

}  // namespace culvert::broker
