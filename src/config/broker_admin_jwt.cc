// The admin commands about who may come with a JSON Web Token.
#include <utility>

#include "base/status.h"
#include "config/broker_admin_flags.h"
#include "config/broker_admin_table.h"

namespace culvert::config {
namespace {

Setting AudienceFlag(AdminCommand& admin) {
  Setting setting{"audience", '\0', "AUDIENCE",
                  "What its tokens have to be for; more than once for one of several."};
  setting.set = [&admin](std::string_view text) -> absl::Status {
    CULVERT_ASSIGN_OR_RETURN(std::string audience, AnyText(text));
    admin.audiences.push_back(std::move(audience));
    return absl::OkStatus();
  };
  return Repeatable(std::move(setting));
}

// After the flags were read: `field` is what --`flag` has set.
void Require(Command& command, AdminCommand& admin, const std::string& field, const char* what) {
  command.finish = [&admin, name = command.name, &field, what]() -> absl::Status {
    admin.name = name;
    if (field.empty()) return absl::InvalidArgumentError(what);
    return absl::OkStatus();
  };
}

}  // namespace

void AddIssuers(AdminTable& table, AdminCommand& admin) {
  Command& add = table.Add(
      {"issuer add",
       "ISSUER --jwks FILE|https://... --audience AUDIENCE [options]",
       "Believe the JSON Web Tokens of an issuer.",
       "Lets an OpenID Connect issuer say who is a user of a project: it can name any\n"
       "user of it. ISSUER is what its tokens have as iss. One that is there already is\n"
       "replaced.",
       {Flag({"jwks", '\0', "FILE|URL",
              "Its public keys, a JWK set: a file, or a URL that begins with https://.\n"
              "      It is read again every ten minutes when there are tokens, and at most\n"
              "      once a minute when one has an unknown key."},
             admin.jwks, AnyText),
        AudienceFlag(admin),
        Flag({"claim", '\0', "CLAIM", "The claim that is the user's name.", admin.claim},
             admin.claim, AnyText),
        Flag({"ca-file", '\0', "FILE",
              "The authorities (PEM) that the URL's server is checked with.", "the system's"},
             admin.ca_file, AnyText),
        ProjectFlag(admin)}});
  add.set_positional = TakeOperand(admin, "the issuer");
  Require(add, admin, admin.jwks, "issuer add needs --jwks FILE or --jwks https://...");
  table.AddList("issuer", "List the issuers of JSON Web Tokens.",
                "Lists the issuers whose JSON Web Tokens are believed, in all projects.", {});
  table
      .Add({"issuer remove",
            "ISSUER [options]",
            "Believe an issuer no longer.",
            "Takes an issuer off the list. What goes on with a token of it ends at once;\n"
            "certificates of its logins last for up to 12 hours: see revoke.",
            {}})
      .set_positional = TakeOperand(admin, "the issuer");
}

void AddServiceAccounts(AdminTable& table, AdminCommand& admin) {
  Command& add =
      table.Add({"service-account add",
                 "NAME --public-key FILE [options]",
                 "Make a service account, or give it another key.",
                 "Makes a service account, which signs JSON Web Tokens for itself, or adds a key\n"
                 "to it. Prints what its tokens have to say.",
                 {Flag({"public-key", '\0', "FILE",
                        "Its public key, of P-256 or RSA: PEM (BEGIN PUBLIC KEY), or a JWK, whose\n"
                        "      kid is kept."},
                       admin.public_key, AnyText),
                  ProjectFlag(admin)}},
                {"json"});
  add.set_positional = TakeOperand(admin, "the name of a service account");
  Require(add, admin, admin.public_key, "service-account add needs --public-key FILE");
  table.AddList("service-account", "List the service accounts of a project.",
                "Lists the service accounts of a project, one line for each of their keys.",
                {ProjectFlag(admin)});
  table
      .Add({"service-account remove",
            "NAME [options]",
            "Remove a service account, or a key of it.",
            "Removes a service account: what it has open ends at once, whatever certificate\n"
            "it has, and the keys of its logins are revoked, so that an account that is made\n"
            "again under this name revives none. With --key only that key, and what goes on\n"
            "with a token of it.",
            {Flag({"key", '\0', "KID", "Only this key."}, admin.kid, AnyText), ProjectFlag(admin)}})
      .set_positional = TakeOperand(admin, "the name of a service account");
}

}  // namespace culvert::config
