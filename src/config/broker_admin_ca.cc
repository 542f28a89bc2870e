#include "config/broker_admin_flags.h"
#include "config/broker_admin_table.h"

namespace culvert::config {
namespace {

Setting FileFlag(const char* flag, const char* help, const char* otherwise, std::string& field) {
  return Flag({flag, '\0', "FILE", help, otherwise}, field, AnyText);
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
              Flag({"only", '\0', "ROLE:NAME",
                    "Those of agent:NAME or user:NAME, or the broker's own: broker."},
                   admin.only, AnyText)}});
  table.Add({"ca import",
             "[options]",
             "Take over certificates that were signed elsewhere.",
             "Takes what ca sign wrote: each certificate is given to whoever waits for it,\n"
             "the broker's own is used at once.",
             {FileFlag("in", "The certificates.", "standard input", admin.in)}});
}

}  // namespace culvert::config
