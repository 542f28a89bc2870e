#include "config/broker_admin_flags.h"
#include "config/broker_admin_table.h"
#include "crypto/digest.h"

namespace culvert::config {
namespace {

Setting FileFlag(const char* flag, const char* help, const char* otherwise, std::string& field) {
  return Flag({flag, '\0', "FILE", help, otherwise}, field, AnyText);
}

// Names are compared only, so that anything but nothing may be one.
bool IsSelector(std::string_view text) {
  if (text == "broker") return true;
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view kind = text.substr(0, colon);
  const std::string_view name = text.substr(colon + 1);
  if (kind == "key") return crypto::IsKeyId(name);
  return (kind == "agent" || kind == "user") && !name.empty();
}

Setting OnlyFlag(AdminCommand& admin) {
  Setting setting{"only", '\0', "ROLE:NAME",
                  "Those of agent:NAME, user:NAME or key:KEYID, or the broker's own: broker."};
  setting.form = FileForm::kNone;
  setting.set = [&admin](std::string_view text) -> absl::Status {
    if (!IsSelector(text)) {
      return absl::InvalidArgumentError("expected agent:NAME, user:NAME, key:KEYID or broker");
    }
    admin.only.emplace_back(text);
    return absl::OkStatus();
  };
  return Repeatable(std::move(setting));
}

}  // namespace

void AddAuthority(AdminTable& table, AdminCommand& admin) {
  table.Add({"ca create",
             "[options]",
             "Make an authority on the machine that keeps its key.",
             "Makes ca.pem and ca-key.pem in the state directory, and prints the\n"
             "fingerprint. Brokers get ca.pem alone: serve --ca-cert.",
             {}});
  table.Add({"ca requests",
             "[options]",
             "List what waits to be signed elsewhere.",
             "Lists the requests that wait to be signed, the broker's own among them. With\n"
             "--json they are what ca sign takes.",
             {}},
            {"json"});
  table.Add({"ca sign",
             "[options]",
             "Sign requests on the machine of the authority's key.",
             "Signs the requests of ca requests --json with the key in the state directory,\n"
             "and says on standard error whom each is for and its key: compare them.",
             {FileFlag("in", "The requests.", "standard input", admin.in),
              FileFlag("out", "Where the certificates go.", "standard output", admin.out),
              OnlyFlag(admin)}});
  table.Add({"ca import",
             "[options]",
             "Take over certificates that were signed elsewhere.",
             "Takes what ca sign wrote: each certificate is given to whoever waits for it,\n"
             "the broker's own is used at once.",
             {FileFlag("in", "The certificates.", "standard input", admin.in)}});
}

}  // namespace culvert::config
