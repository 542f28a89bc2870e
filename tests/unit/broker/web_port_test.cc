#include "broker/web_port.h"

#include "broker/pki.h"
#include "broker/server_files.h"
#include "tests/support/catch.h"
#include "tests/support/loopback.h"
#include "tests/support/temp_directory.h"

namespace culvert::broker {
namespace {

using config::WebChoice;

struct WebPortFixture {
  absl::StatusOr<std::unique_ptr<WebPort>> Listen(const WebChoice& choice, uint16_t control = 0) {
    config::BrokerConfig config;
    config.listen = {{"127.0.0.1", control}};
    config.web = choice;
    return WebPort::Listen(loop, config, nullptr, [](int, const net::Address&) { return false; },
                           {[](const rpc::StreamInfo&, std::unique_ptr<rpc::Stream>) {},
                            [](const rpc::StreamInfo&) { return std::string(); }});
  }

  net::EventLoop loop;
};

TEST_CASE_METHOD(WebPortFixture, "The web port is where it is told to be", "[web_port]") {
  const auto off = Listen({WebChoice::Kind::kNone, {}});
  REQUIRE(off.ok());
  CHECK((*off)->addresses().empty());

  const auto chosen = Listen({});
  REQUIRE(chosen.ok());
  REQUIRE((*chosen)->addresses().size() == 1);
  CHECK((*chosen)->addresses().front().is_loopback());

  const auto named = Listen({WebChoice::Kind::kAddress, {"*", 0}});
  REQUIRE(named.ok());
  CHECK((*named)->addresses().size() == 2);
  (*named)->Drain();
  CHECK((*named)->addresses().empty());
}

TEST_CASE_METHOD(WebPortFixture, "A web port that is named and taken is an error", "[web_port]") {
  const test::Fd taken = test::ListenOnLoopback();
  const uint16_t port = test::PortOf(taken.get());
  const auto named = Listen({WebChoice::Kind::kAddress, {"127.0.0.1", port}});
  CHECK(MessageOf(named.status()).find("web: listen on 127.0.0.1:") == 0);
}

TEST_CASE_METHOD(WebPortFixture, "A connection that is not admitted is closed", "[web_port]") {
  const auto port = Listen({});
  REQUIRE(port.ok());
  const test::Fd client = test::ConnectToLoopback((*port)->addresses().front().port());
  REQUIRE(client.get() >= 0);
  CHECK(loop.RunUntil(
      [&] {
        const test::PeerRead read = test::ReadNow(client.get());
        return read.eof || read.error != 0;
      },
      std::chrono::seconds(10)));
}

TEST_CASE("The web port has the broker's certificate as it is now", "[web_port]") {
  const test::TempDirectory directory;
  const auto now = std::chrono::system_clock::now();
  auto pki = Pki::Open({.state_dir = directory.path()}, now);
  REQUIRE(pki.ok());
  const std::string file = (*pki)->server_certificate_file();
  CHECK(absl::IsNotFound(WebIdentity::Open(directory.path(), file).status()));
  REQUIRE((*pki)->KeepServerCertificate(now).ok());

  const auto identity = WebIdentity::Open(directory.path(), file);
  REQUIRE(identity.ok());
  const auto first = (*identity)->context();
  CHECK((*identity)->context() == first);

  // A new one.
  REQUIRE(unlink(file.c_str()) == 0);
  REQUIRE((*pki)->KeepServerCertificate(now - std::chrono::hours(1)).ok());
  const auto second = (*identity)->context();
  CHECK(second->own().der() != first->own().der());
  CHECK((*identity)->context() == second);

  // What is of no use changes nothing.
  directory.Write("server.pem", "no certificate");
  CHECK((*identity)->context() == second);
  REQUIRE(unlink(file.c_str()) == 0);
  CHECK((*identity)->context() == second);
}

}  // namespace
}  // namespace culvert::broker
