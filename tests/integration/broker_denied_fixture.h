// Clients with every kind of certificate at a broker with identities, and what becomes of those
// whom it denies something.
#pragma once

#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "culvert/v1/identity.grpc.pb.h"
#include "tests/support/eventually.h"
#include "tests/support/raw_client.h"
#include "tests/support/test_broker.h"

namespace culvert::test {

// What a client shows at its TLS handshake: PEM, or nothing.
struct Shown {
  std::string key;
  std::string certificate;

  static Shown Of(const crypto::Identity& identity) {
    return {identity.key.Pem(), identity.certificate.Pem()};
  }
  static Shown FromFiles(const std::string& key, const std::string& certificate) {
    const auto read = [](const std::string& name) {
      std::ostringstream text;
      text << std::ifstream(name).rdbuf();
      REQUIRE(!text.str().empty());
      return text.str();
    };
    return {read(key), read(certificate)};
  }
};

struct DeniedFixture {
  using Role = crypto::SpiffeId::Role;
  using Client = RawClient<V1>;
  using Identity = culvert::v1::Identity;

  // What a client was denied.
  struct Denial {
    grpc::StatusCode code;
    std::string words;
  };

  TestRealm realm;
  TestBroker broker{realm};
  std::vector<Denial> denials;  // in their order

  // --- clients ---

  std::shared_ptr<grpc::Channel> ChannelAs(const Shown& shown) const {
    return ChannelTo(broker, shown);
  }
  // The same at another broker of the realm.
  std::shared_ptr<grpc::Channel> ChannelTo(const TestBroker& at, const Shown& shown) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = realm.pki().authority().Pem();
    options.pem_private_key = shown.key;
    options.pem_cert_chain = shown.certificate;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetSslTargetNameOverride(rpc::kBrokerName);
    return grpc::CreateCustomChannel(at.address(), grpc::SslCredentials(options), arguments);
  }
  std::shared_ptr<grpc::Channel> ChannelAs(Role role, const std::string& name) const {
    return ChannelAs(Shown::Of(realm.Issue(role, name)));
  }
  Client As(Role role, const std::string& name) const { return Client(ChannelAs(role, name)); }

  // An opening of `client` under the name that it gives itself.
  static Client::ConnectCall Open(Client& client, const std::string& own_name,
                                  const std::string& project = kProject) {
    auto request = Client::OpenRequest("edge-1", kCapable);
    request.mutable_open_request()->set_name(own_name);
    request.mutable_open_request()->set_project(project);
    auto call = client.Connect();
    call.Send(request);
    return call;
  }
  static grpc::Status Listen(Client& client, const std::string& name) {
    auto call = client.Listen();
    call.Send(Client::ListenRequest(name, kCapable));
    return call.End();
  }
  static grpc::Status Accept(Client& client, const std::string& name, uint64_t session,
                             uint64_t channel) {
    auto call = client.Accept();
    call.Send(Client::AcceptRequest(name, session, channel, kCapable));
    return call.End();
  }
  // A call that has one answer.
  template <typename Request, typename Response>
  static grpc::Status Ask(const std::shared_ptr<grpc::Channel>& channel,
                          grpc::Status (Identity::Stub::*method)(grpc::ClientContext*,
                                                                 const Request&, Response*),
                          const Request& request = {}) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    Response response;
    return (*Identity::NewStub(channel).*method)(&context, request, &response);
  }

  // --- what became of it ---

  // Every denial in these tests goes through here: the code and the words that the client hears.
  void CheckDenied(const grpc::Status& status, grpc::StatusCode code, const std::string& words) {
    CHECK(status.error_code() == code);
    CHECK_THAT(status.error_message(), Catch::Matchers::Contains(words));
    denials.push_back({status.error_code(), status.error_message()});
  }
  // That all of them are on record, in their order, as far as the log takes them of one address at
  // once. What HTTP/2 refuses by itself, a header that is too large, never comes to the broker.
  void CheckAudited() {
    std::erase_if(denials, [](const Denial& denial) {
      return denial.code == grpc::StatusCode::RESOURCE_EXHAUSTED;
    });
    const auto events = broker.TakeAudit(broker::AuditKind::kDeny);
    constexpr auto kMost = static_cast<size_t>(broker::AuditTrail::kRate.burst);
    REQUIRE(events.size() >= std::min(denials.size(), kMost));
    for (size_t i = 0; i < std::min(denials.size(), kMost); ++i) {
      CAPTURE(i, denials[i].words, events[i].reason);
      CHECK(events[i].code ==
            absl::StatusCodeToString(static_cast<absl::StatusCode>(denials[i].code)));
      CHECK_THAT(events[i].address, Catch::Matchers::StartsWith("127.0.0.1:"));
      CHECK_THAT(events[i].reason, Catch::Matchers::Contains(denials[i].words));
    }
  }
  // Last in each test, when whoever was let in has gone: that nothing is left of anybody but the
  // record.
  void CheckNothingStays() {
    CheckAudited();
    CHECK(broker.WaitForChannels(0));
    CHECK(broker.WaitForSessions(0));
    CHECK(broker.WaitForSilentStreams(0));
    CHECK(Eventually([this] {
      uint64_t streams = 0;
      broker.Run([&](broker::Broker& at) { streams = at.counted_streams("127.0.0.1"); });
      return streams == 0;
    }));
  }
};

}  // namespace culvert::test
