// Builds the table of the admin commands. Used inside src/config only.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/broker_admin.h"
#include "config/setting.h"

namespace culvert::config {

// Builds the table, so that each command says only what is its own.
class AdminTable {
 public:
  AdminTable(AdminCommand& admin, const Settings& shared) : admin_(admin), shared_(shared) {}

  // `also` are flags of the daemon that the command has too.
  Command& Add(Command command, std::vector<std::string_view> also = {});
  // Also checks that the flags name one subject; `flags` is for the message.
  Command& AddForOne(Command command, const char* flags);
  // Of one project, as a table or as JSON.
  void AddList(const std::string& what, const std::string& summary, const std::string& description,
               Settings settings);

  std::vector<Command> Take() { return std::move(commands_); }

 private:
  AdminCommand& admin_;
  const Settings& shared_;
  std::vector<Command> commands_;
};

// Parts of the table that have a file of their own.
void AddIssuers(AdminTable& table, AdminCommand& admin);
void AddServiceAccounts(AdminTable& table, AdminCommand& admin);
void AddQuotas(AdminTable& table, AdminCommand& admin);
void AddAuthority(AdminTable& table, AdminCommand& admin);

}  // namespace culvert::config
