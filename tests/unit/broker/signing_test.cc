// Certificates that are signed elsewhere: what is asked for, signed and taken over.
#include "broker/signing.h"

#include "base/status.h"
#include "tests/unit/broker/signing_fixture.h"

namespace culvert::broker {
namespace {

using Catch::Matchers::Contains;
using crypto::PrivateKey;
using Role = crypto::SpiffeId::Role;

constexpr auto kLife = std::chrono::hours(24);

struct Flow : SigningFixture {
  PrivateKey key = PrivateKey::Generate();
  const crypto::PublicKey& pub() const { return key.public_key(); }
  const crypto::SpiffeId edge = IdOf(Role::kAgent, "edge-1");
  const crypto::SpiffeId alice = IdOf(Role::kUser, "alice");

  std::string Sign(const std::string& lines, const SigningOptions& options = {}) const {
    const auto text = SignRequests(authority, lines, options, now);
    INFO(text.status().ToString());
    REQUIRE(text.ok());
    return *text;
  }
  std::string Refused(const crypto::Certificate& certificate) {
    const absl::Status why = Import(certificate);
    CHECK_FALSE(why.ok());
    CHECK_FALSE(Ask(edge, key).has_value());
    return std::string(MessageOf(why));
  }
};

TEST_CASE_METHOD(Flow, "A request goes to the authority and comes back as a certificate",
                 "[signing]") {
  CHECK_FALSE(Ask(edge, key).has_value());
  CHECK_FALSE(Ask(edge, key).has_value());
  SigningOptions options;
  std::string seen;
  options.on_request = [&](const SigningSubject& subject, const std::string& key_id) {
    seen += subject.ToString() + " " + key_id + "\n";
  };
  const std::string line = Sign(Requests(), options);
  CHECK(seen == "agent edge-1 of projects/default " + pub().id() + "\n");
  REQUIRE(Import(*ReadSignedLine(line.substr(0, line.size() - 1))).ok());
  const auto certificate = Ask(edge, key);
  REQUIRE(certificate.has_value());
  CHECK(certificate->spiffe_id() == edge);
  CHECK(certificate->public_key() == pub());
  CHECK(certificate->IsFor(crypto::Usage::kServer));
  CHECK(Requests().empty());
  CHECK(store->principals().KeysOf("default", store::Role::kAgent, "edge-1")->size() == 1);
  CHECK(events.size() == 1);
}

TEST_CASE_METHOD(Flow, "A certificate that is in use already is not given for a renewal",
                 "[signing]") {
  Ask(edge, key);
  const auto first = Make(pub(), PrincipalContent(edge, now, kLife));
  REQUIRE(Import(first).ok());
  CHECK(Ask(edge, key) == first);
  CHECK(Ask(edge, key) == first);  // the answer may have been lost
  CHECK_FALSE(Ask(edge, key, first).has_value());
  CHECK_FALSE(Requests().empty());
  const auto second = Make(pub(), PrincipalContent(edge, now, 2 * kLife));
  REQUIRE(Import(second).ok());
  CHECK(Ask(edge, key, first) == second);
}

TEST_CASE_METHOD(Flow, "What lay signed for too long is asked for again", "[signing]") {
  Ask(edge, key);
  REQUIRE(Import(Make(pub(), PrincipalContent(edge, now, kLife))).ok());
  now += kLife;
  CHECK_FALSE(Ask(edge, key).has_value());
  CHECK_FALSE(Requests().empty());
}

TEST_CASE_METHOD(Flow, "Import refuses what does not fit the request that waits", "[signing]") {
  Ask(edge, key);
  const PrivateKey other = PrivateKey::Generate();
  CHECK_THAT(Refused(Make(other.public_key(), PrincipalContent(edge, now, kLife))),
             Contains("no request of key"));
  CHECK_THAT(Refused(Make(pub(), PrincipalContent(IdOf(Role::kAgent, "edge-2"), now, kLife))),
             Contains("not for agent edge-1"));
  CHECK_THAT(Refused(Make(pub(), PrincipalContent(IdOf(Role::kUser, "edge-1"), now, kLife))),
             Contains("not for agent edge-1"));
  crypto::SpiffeId elsewhere = edge;
  elsewhere.project = "other";
  CHECK_THAT(Refused(Make(pub(), PrincipalContent(elsewhere, now, kLife))),
             Contains("not for agent edge-1"));
  elsewhere = edge;
  elsewhere.trust_domain = "other.example";
  CHECK_THAT(Refused(Make(pub(), PrincipalContent(elsewhere, now, kLife))),
             Contains("not for agent edge-1"));
  // An agent's name with what a user may do.
  auto user_like = PrincipalContent(edge, now, kLife);
  user_like.usages = {crypto::Usage::kClient};
  CHECK_THAT(Refused(Make(pub(), user_like)), Contains("not for the use of"));
  CHECK_THAT(Refused(Make(pub(), BrokerContent(now, kLife))), Contains("not for a client"));
  CHECK_THAT(Refused(Make(pub(), PrincipalContent(edge, now - 3 * kLife, kLife))),
             Contains("expired"));
  const auto other_ca = crypto::CertificateAuthority::Create("elsewhere", now - kLife, now + kLife);
  CHECK(absl::IsUnauthenticated(Import(other_ca.Issue(pub(), PrincipalContent(edge, now, kLife)))));
  CHECK(absl::IsInvalidArgument(Import("no certificate")));
  CHECK(Import(Make(pub(), PrincipalContent(edge, now, kLife))).ok());
}

TEST_CASE_METHOD(Flow, "Import refuses a user's certificate that could serve", "[signing]") {
  Ask(alice, key);
  auto content = PrincipalContent(alice, now, kLife);
  content.usages.push_back(crypto::Usage::kServer);
  CHECK_THAT(std::string(MessageOf(Import(Make(pub(), content)))), Contains("not for the use of"));
}

TEST_CASE_METHOD(Flow, "Import refuses a key that was revoked meanwhile", "[signing]") {
  Ask(edge, key);
  REQUIRE(store->revocations().Revoke({pub().id()}, "", now).ok());
  CHECK(absl::IsPermissionDenied(Import(Make(pub(), PrincipalContent(edge, now, kLife)))));
  CHECK(Requests().empty());
}

TEST_CASE_METHOD(Flow, "Signing refuses a file of which one line was changed, as a whole",
                 "[signing]") {
  Ask(edge, key);
  Json good = Json::parse(Requests());
  const PrivateKey other = PrivateKey::Generate();
  const auto with = [&good](const char* field, const Json& value) {
    Json changed = good;
    changed[field] = value;
    return changed.dump();
  };
  std::string bad_signature = good["request"];
  const size_t at = bad_signature.find("-----END") - 8;
  bad_signature[at] = bad_signature[at] == 'A' ? 'B' : 'A';
  for (const std::string& line :
       {with("key", other.public_key().id()),
        with("request", crypto::MakeCertificateRequest(other)), with("request", bad_signature),
        with("request", 7), with("role", "admin"), with("role", "Agent"), with("name", "a/b"),
        with("name", ""), with("project", "../x"), with("name", nullptr), std::string("{"),
        std::string("[]"), std::string(kMostSigningLine + 1, ' ')}) {
    CAPTURE(line.substr(0, 200));
    const auto result = SignRequests(authority, good.dump() + "\n" + line + "\n", {}, now);
    CHECK(absl::IsInvalidArgument(result.status()));
    CHECK_THAT(std::string(MessageOf(result.status())), Contains("line 2: "));
  }
}

TEST_CASE_METHOD(Flow, "Signing of only one name leaves the others", "[signing]") {
  const PrivateKey second = PrivateKey::Generate();
  Ask(edge, key);
  Ask(alice, second);
  for (const auto& [only, expected] : std::vector<std::pair<std::string, std::string>>{
           {"agent:edge-1", pub().id()}, {"user:alice", second.public_key().id()}}) {
    SigningOptions options;
    options.only = {only};
    const Json line = Json::parse(Sign(Requests(), options));
    CHECK(line["key"] == expected);
  }
  SigningOptions none;
  none.only = {"user:edge-1"};
  CHECK(Sign(Requests(), none).empty());
}

TEST_CASE_METHOD(Flow, "Signing takes one of two keys for one name only if the key is named",
                 "[signing]") {
  const PrivateKey second = PrivateKey::Generate();
  Ask(edge, key);
  Ask(edge, second);
  const auto sign = [&](std::vector<std::string> only) {
    SigningOptions options;
    options.only = std::move(only);
    return SignRequests(authority, Requests(), options, now);
  };
  for (const std::vector<std::string>& only : {std::vector<std::string>{}, {"agent:edge-1"}}) {
    const auto refused = sign(only);
    CHECK(absl::IsFailedPrecondition(refused.status()));
    CHECK_THAT(std::string(MessageOf(refused.status())),
               Contains("agent edge-1 of projects/default") && Contains("--only key:KEYID"));
  }
  const auto one = sign({"key:" + second.public_key().id()});
  REQUIRE(one.ok());
  CHECK(Json::parse(*one)["key"] == second.public_key().id());
  const auto both = sign({"key:" + pub().id(), "key:" + second.public_key().id()});
  REQUIRE(both.ok());
  CHECK(std::count(both->begin(), both->end(), '\n') == 2);
}

TEST_CASE_METHOD(Flow, "Signing takes one broker at a time, and one request twice", "[signing]") {
  const auto line = [](const PrivateKey& of) {
    return BrokerRequestJson(of.public_key().id(), crypto::MakeCertificateRequest(of)).dump() +
           "\n";
  };
  const std::string twice = line(key) + line(PrivateKey::Generate());
  CHECK(absl::IsFailedPrecondition(SignRequests(authority, twice, {}, now).status()));
  SigningOptions options;
  options.only = {"key:" + pub().id()};
  CHECK(SignRequests(authority, twice, options, now).ok());
  Ask(edge, key);
  CHECK(SignRequests(authority, Requests() + Requests(), {}, now).ok());
}

// --- the broker's own ---

TEST_CASE_METHOD(Flow, "A broker without its authority's key has its own certificate signed",
                 "[signing]") {
  const std::string file = directory.path() + "/given.pem";
  REQUIRE(crypto::WritePrivateFile(file, authority.certificate().Pem()).ok());
  auto pki = Pki::Open({.state_dir = state_dir, .authority_file = file}, now);
  REQUIRE(pki.ok());
  CHECK_FALSE((*pki)->signs());
  CHECK(absl::IsFailedPrecondition((*pki)->Issue(edge, pub(), now).status()));
  const absl::Status waits = (*pki)->KeepServerCertificate(now);
  CHECK(absl::IsFailedPrecondition(waits));
  CHECK_THAT(std::string(MessageOf(waits)), Contains("culvert-broker ca sign"));

  const std::string line = Sign(Requests());
  const auto certificate = crypto::Certificate::FromPem(*ReadSignedLine(line));
  REQUIRE(certificate.ok());
  // A principal's certificate for the broker's key is none for a broker.
  CHECK_FALSE(Import(Make(certificate->public_key(), PrincipalContent(edge, now, kLife))).ok());
  REQUIRE(Import(*certificate).ok());
  CHECK((*pki)->KeepServerCertificate(now).ok());
  CHECK(Requests().empty());

  // From two thirds of its life on it is asked for again, and serves until it ends.
  now += std::chrono::hours(24 * 21);
  CHECK((*pki)->KeepServerCertificate(now).ok());
  CHECK_FALSE(Requests().empty());
  now += std::chrono::hours(24 * 10);
  CHECK(absl::IsFailedPrecondition((*pki)->KeepServerCertificate(now)));
}

TEST_CASE_METHOD(Flow, "A broker takes no other authority, and not its key beside the certificate",
                 "[signing]") {
  const std::string file = directory.path() + "/given.pem";
  const auto other = crypto::CertificateAuthority::Create("other", now, now + kLife);
  REQUIRE(crypto::WritePrivateFile(file, other.certificate().Pem()).ok());
  const Pki::Options options{.state_dir = state_dir, .authority_file = file};
  CHECK_THAT(std::string(MessageOf(Pki::Open(options, now).status())),
             Contains("another authority"));
  REQUIRE(crypto::WritePrivateFile(state_dir + "/ca-key.pem", authority.key().Pem()).ok());
  CHECK_THAT(std::string(MessageOf(Pki::Open(options, now).status())), Contains("ca-key.pem"));
}

TEST_CASE_METHOD(Flow, "A broker that lost its authority's key does not go on without saying so",
                 "[signing]") {
  const absl::Status opened = Pki::Open({.state_dir = state_dir}, now).status();
  CHECK(absl::IsFailedPrecondition(opened));
  CHECK_THAT(std::string(MessageOf(opened)), Contains("--ca-cert"));
}

TEST_CASE_METHOD(Flow, "An authority is made once", "[signing]") {
  const std::string machine = directory.path() + "/machine";
  const auto made = CreateAuthority(machine, now);
  REQUIRE(made.ok());
  CHECK(LoadAuthority(machine)->certificate() == made->certificate());
  CHECK(absl::IsAlreadyExists(CreateAuthority(machine, now).status()));
}

}  // namespace
}  // namespace culvert::broker
