#include "crypto/tls_peer.h"

#include "tests/support/catch.h"
#include "tests/support/tls_pair.h"

namespace culvert::crypto {
namespace {

using namespace std::chrono_literals;
using Role = SpiffeId::Role;

TEST_CASE("A peer must be of the project, in its part, and have the name asked for", "[tls_peer]") {
  const TlsProject project;
  const auto [expected, error] = GENERATE(table<TlsExpectation, std::string>({
      {{"default", {Role::kAgent}, "edge-1"}, ""},
      {{"default", {Role::kUser, Role::kAgent}, std::nullopt}, ""},
      {{"other", {Role::kAgent}, "edge-1"}, "the other end is of project default, not other"},
      {{"default", {Role::kUser}, "edge-1"},
       "the other end is the agent edge-1, whose part this is not"},
      {{"default", {}, "edge-1"}, "the other end is the agent edge-1, whose part this is not"},
      {{"default", {Role::kAgent}, "edge-2"}, "the other end is the agent edge-1, not edge-2"},
      {{"default", {Role::kAgent}, "edge"}, "the other end is the agent edge-1, not edge"},
  }));
  const Certificate& agent = project.agent.certificate;
  const absl::Status status =
      CheckTlsPeer(agent, expected, project.authority.certificate(), Usage::kServer, project.now);
  CHECK(status.message() == error);
  CHECK((status.ok() || absl::IsPermissionDenied(status)));
  CHECK(project.Client()->CheckPeer(agent, expected, project.now) == status);
}

TEST_CASE("A certificate without an identity is nobody's", "[tls_peer]") {
  const TlsProject project;
  const PrivateKey key = PrivateKey::Generate();
  const Certificate broker =
      project.authority.Issue(key.public_key(), CertificateContent{std::nullopt,
                                                                   {"broker.culvert.internal"},
                                                                   {Usage::kServer},
                                                                   project.now,
                                                                   project.now + 1h});
  CHECK(
      project.Client()->CheckPeer(broker, {"default", {Role::kAgent}, std::nullopt}, project.now) ==
      absl::PermissionDeniedError("the other end is neither an agent nor a user"));
}

TEST_CASE("A context judges a peer again each time, but for its signature", "[tls_peer]") {
  const TlsProject project;
  const TlsProject theirs;
  const auto context = project.Server();
  const Certificate& user = project.user.certificate;
  const TlsExpectation anybody{"default", {Role::kUser}, std::nullopt};
  for (int i = 0; i < 2; ++i) {
    CHECK(context->CheckPeer(user, anybody, project.now).ok());
    CHECK(absl::IsUnauthenticated(context->CheckPeer(user, anybody, project.now + 48h)));
    CHECK(absl::IsPermissionDenied(
        context->CheckPeer(user, {"default", {Role::kAgent}, std::nullopt}, project.now)));
    CHECK(
        absl::IsUnauthenticated(context->CheckPeer(theirs.user.certificate, anybody, project.now)));
    CHECK(absl::IsUnauthenticated(
        CheckTlsPeer(user, anybody, theirs.authority.certificate(), Usage::kClient, project.now)));
  }
}

}  // namespace
}  // namespace culvert::crypto
