#include "config/broker_admin.h"

#include <fmt/format.h>

#include <utility>

#include "base/status.h"
#include "config/broker_admin_flags.h"
#include "config/broker_admin_table.h"
#include "config/units.h"

namespace culvert::config {
namespace {

void AddTokens(AdminTable& table, AdminCommand& admin) {
  table.AddForOne(
      {"token create",
       "--agent NAME | --user NAME [options]",
       "Make a token that enrols one agent or user.",
       "Makes a token with which one agent or user can enrol once, and prints it alone\n"
       "on one line. It is stored hashed and never shown again.",
       {SubjectFlag(admin, "agent", "NAME", "The agent that it is for.", "agent"),
        SubjectFlag(admin, "user", "NAME", "The user that it is for.", "user"), ProjectFlag(admin),
        Flag({"ttl", '\0', "DURATION", "How long it can be used.", FormatDuration(admin.ttl)},
             admin.ttl, ParsePositiveDuration)}},
      "--agent NAME and --user NAME");
  table.AddList("token", "List the tokens of a project.",
                "Lists the tokens that can be used, and for 30 days those that cannot any more.",
                {ProjectFlag(admin)});
  table
      .Add({"token revoke",
            "ID [options]",
            "Withdraw a token that nobody has used.",
            "Withdraws a token that nobody has used. token list tells its ID.",
            {}})
      .set_positional = TakeOperand(admin, "the ID of a token");
}

Settings RuleFlags(AdminCommand& admin) {
  Settings settings = SubjectFlags(admin);
  settings.push_back(SubjectFlag(admin, "group", "NAME", "The members of this group.", "group"));
  for (Setting& setting : Settings{
           Flag({"agent", '\0', "GLOB", "At these agents; * stands for any bytes, ? for one.",
                 admin.agent},
                admin.agent, AnyText),
           Flag({"service", '\0', "SERVICE", "This service, such as tcp; * is every service.",
                 admin.service},
                admin.service, AnyText),
           Flag({"target", '\0', "TARGET",
                 "This target, for tcp HOST:PORT: a host is *, an address, a prefix such\n"
                 "      as 10.0.0.0/8, a name or a glob such as *.lan, a port a number, a range\n"
                 "      such as 8000-8100, or *.",
                 "every target"},
                admin.target, AnyText),
           Flag({"role", '\0', "ROLE",
                 "What it gives: connect, agent, admin, projects-viewer or\n"
                 "      projects-admin (all projects), or one of yours.",
                 admin.role},
                admin.role, AnyText),
           ProjectFlag(admin)}) {
    settings.push_back(std::move(setting));
  }
  return settings;
}

void AddPolicy(AdminTable& table, AdminCommand& admin) {
  constexpr const char* kOne =
      "--user NAME, --group NAME, --key KEYID, --agent-principal NAME and --service-account NAME";
  table.AddForOne({"policy allow", "--user NAME [options]", "Let somebody reach something.",
                   "Adds a rule. What no rule allows is refused. A rule that is there already is\n"
                   "left as it is.",
                   RuleFlags(admin)},
                  kOne);
  table.AddForOne({"policy revoke", "--user NAME [options]", "Take back what a rule allows.",
                   "Removes the rule that was made with the same options, and ends the\n"
                   "connections that only it allowed.",
                   RuleFlags(admin)},
                  kOne);
  table.AddList("policy", "List the rules of a project.", "Lists the rules of a project.",
                {ProjectFlag(admin)});
}

Settings MemberFlags(AdminCommand& admin) {
  Settings settings;
  for (Setting& setting : SubjectFlags(admin)) {
    settings.push_back(Repeatable(std::move(setting)));
  }
  settings.push_back(ProjectFlag(admin));
  return settings;
}

void AddGroups(AdminTable& table, AdminCommand& admin) {
  table
      .Add({"group add", "NAME [options]", "Make a group, or add members to it.",
            "Makes a group if it is not there, and adds the members to it.", MemberFlags(admin)})
      .set_positional = TakeOperand(admin, "the name of a group");
  table
      .Add({"group remove", "NAME [options]", "Remove members from a group, or the group.",
            "Removes the members from a group. Without members the group itself, which no\n"
            "rule may be for.",
            MemberFlags(admin)})
      .set_positional = TakeOperand(admin, "the name of a group");
  table.AddList("group", "List the groups of a project.",
                "Lists the groups of a project and their members.", {ProjectFlag(admin)});
}

Setting PermissionFlag(AdminCommand& admin) {
  Setting setting{"permission", '\0', "PERMISSION",
                  "connect, listen, accept, get, batchGet, list, watch, create, update or\n"
                  "      delete, or its whole name."};
  setting.set = [&admin](std::string_view text) -> absl::Status {
    CULVERT_ASSIGN_OR_RETURN(std::string permission, AnyText(text));
    admin.permissions.push_back(std::move(permission));
    return absl::OkStatus();
  };
  return Repeatable(std::move(setting));
}

void AddRoles(AdminTable& table, AdminCommand& admin) {
  table
      .Add({"role add",
            "NAME [options]",
            "Make a role, or add permissions to it.",
            "Makes a role for all projects if it is not there, and adds permissions to it.",
            {PermissionFlag(admin)}})
      .set_positional = TakeOperand(admin, "the name of a role");
  table
      .Add({"role remove",
            "NAME [options]",
            "Remove permissions from a role, or the role.",
            "Removes the permissions from a role. Without any the role itself, which no rule\n"
            "may give.",
            {PermissionFlag(admin)}})
      .set_positional = TakeOperand(admin, "the name of a role");
  table.AddList("role", "List the roles and what they permit.",
                "Lists the roles, the built-in ones first, and what they permit.", {});
}

Setting SuccessorsFlag(AdminCommand& admin) {
  Setting setting =
      SwitchSetting({"successors", '\0', "", "Also the keys that it has named as its successors."},
                    admin.successors);
  setting.variable.clear();
  setting.key.clear();
  return setting;
}

void AddKeys(AdminTable& table, AdminCommand& admin) {
  table.AddList("principal", "List who has enrolled.",
                "Lists the agents and users of a project that have enrolled, one line for each\n"
                "of their keys.",
                {ProjectFlag(admin)});
  table.AddForOne(
      {"revoke",
       "--key KEYID | --user NAME | --agent NAME [options]",
       "Believe a key no longer.",
       "Revokes a key, or all keys that a user or agent has enrolled with. Connections\n"
       "with it end at once, whatever certificate it has.",
       {SubjectFlag(admin, "key", "KEYID", "This key.", "key"),
        SubjectFlag(admin, "user", "NAME", "The keys of this user.", "user"),
        SubjectFlag(admin, "agent", "NAME", "The keys of this agent.", "agent"),
        SubjectFlag(admin, "service-account", "NAME", "The keys of this service account.",
                    "service_account"),
        SuccessorsFlag(admin),
        Flag({"reason", '\0', "TEXT", "Why, for the records."}, admin.reason, AnyText),
        ProjectFlag(admin)}},
      "--key KEYID, --user NAME, --agent NAME and --service-account NAME");
  table.AddForOne({"unrevoke",
                   "--key KEYID [options]",
                   "Believe a revoked key again.",
                   "Takes a key off the list of revoked ones.",
                   {SubjectFlag(admin, "key", "KEYID", "This key.", "key")}},
                  "--key KEYID");
}

void AddChannels(AdminTable& table, AdminCommand& admin) {
  table.AddList("channels", "List the connections of a project that are open now.",
                "Lists the connections of a project that are open now, the oldest first, with\n"
                "the bytes that passed the broker from their users (up) and to them (down).",
                {ProjectFlag(admin)});
  table
      .Add({"channels kill",
            "ID [options]",
            "End a connection for good.",
            "Ends a connection at once and at both ends, and lets it never be resumed: also\n"
            "one that lost its path. channels list and the logs tell its ID.",
            {}})
      .set_positional = TakeOperand(admin, "the ID of a channel");
}

void AddAudit(AdminTable& table, AdminCommand& admin) {
  constexpr const char* kWhen = "a duration such as 1h, or as 2026-01-31T08:00:00Z";
  table.Add(
      {"audit",
       "[options]",
       "Print what has happened.",
       "Prints the events of the audit log, the oldest first, also those of the older\n"
       "files audit.log.1, audit.log.2 and so on that it was rotated to.",
       {Flag({"since", '\0', "TIME", fmt::format("From then on; {}.", kWhen), "24h"}, admin.since,
             ParseWhen),
        Flag({"until", '\0', "TIME", "Up to then.", "now"}, admin.until, ParseWhen),
        SubjectFlag(admin, "user", "NAME", "Events of this user.", "user"),
        SubjectFlag(admin, "agent", "NAME", "Events of this agent and of tunnels to it.", "agent"),
        Flag({"kind", '\0', "KIND",
              "Events of this kind: enrol, renew, login, register, unregister, open,\n"
              "      resume, deny, fail, close, policy, token, revoke, kill, gone or admin."},
             admin.kind, AnyText)}},
      {"json", "audit-log"});
}

}  // namespace

WallTime When::Resolve(WallTime now) const {
  if (!ago) return at;
  return now - std::chrono::duration_cast<WallTime::duration>(*ago);
}

absl::StatusOr<When> ParseWhen(std::string_view text) {
  if (const absl::StatusOr<Duration> ago = ParseDuration(text); ago.ok()) return When{*ago, {}};
  if (const std::optional<WallTime> at = ParseTime(text)) return When{std::nullopt, *at};
  return absl::InvalidArgumentError(
      "expected a duration such as 30m or 1h, or a time such as 2026-01-31T08:00:00Z");
}

std::vector<Command> AdminCommands(AdminCommand& admin, const Settings& shared) {
  AdminTable table(admin, shared);
  AddTokens(table, admin);
  AddPolicy(table, admin);
  AddGroups(table, admin);
  AddRoles(table, admin);
  AddQuotas(table, admin);
  AddKeys(table, admin);
  AddIssuers(table, admin);
  AddServiceAccounts(table, admin);
  AddChannels(table, admin);
  AddAudit(table, admin);
  AddAuthority(table, admin);
  return table.Take();
}

}  // namespace culvert::config
