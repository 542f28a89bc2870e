#include "stitch/hello_mac.h"

#include "crypto/digest.h"
#include "tests/support/catch.h"
#include "tests/support/tls_pair.h"

namespace culvert::stitch {
namespace {

v1::StitchHello Hello() {
  v1::StitchHello hello;
  hello.set_channel_id(0x0102030405060708);
  hello.set_attempt(2);
  hello.set_last_message_id(9);
  return hello;
}

void Fill(HelloKey* key, unsigned char octet) { std::fill_n(key->data(), key->size(), octet); }

TEST_CASE("A Hello's code is over role, channel, attempt and last id", "[hello_mac]") {
  HelloKey key;
  Fill(&key, 'k');
  const std::string said("\x01\x08\x07\x06\x05\x04\x03\x02\x01\x02\0\0\0\x09\0\0\0\0\0\0\0", 21);
  CHECK(HelloMac(key, HelloRole::kConsumer, Hello()) ==
        crypto::HmacSha256(std::string(32, 'k'), said));
}

TEST_CASE("A Hello with its code is believed, and nothing else", "[hello_mac]") {
  HelloKey key;
  Fill(&key, 'k');
  v1::StitchHello hello = Hello();
  hello.set_mac(HelloMac(key, HelloRole::kProvider, hello));
  REQUIRE(HasHelloMac(key, HelloRole::kProvider, hello));
  SECTION("of the other role") { CHECK_FALSE(HasHelloMac(key, HelloRole::kConsumer, hello)); }
  SECTION("under another key") {
    HelloKey other;
    Fill(&other, 'o');
    CHECK_FALSE(HasHelloMac(other, HelloRole::kProvider, hello));
  }
  SECTION("with something changed") {
    SECTION("channel") { hello.set_channel_id(1); }
    SECTION("attempt") { hello.set_attempt(3); }
    SECTION("last id") { hello.set_last_message_id(10); }
    SECTION("code") { hello.mutable_mac()->back() ^= 1; }
    SECTION("no code") { hello.clear_mac(); }
    SECTION("half a code") { hello.mutable_mac()->resize(16); }
    CHECK_FALSE(HasHelloMac(key, HelloRole::kProvider, hello));
  }
}

TEST_CASE("Both ends of a TLS session, full or resumed, have the key of its Hellos",
          "[hello_mac]") {
  const crypto::TlsProject project;
  const auto client_context = project.Client();
  const auto server_context = project.Server();
  std::shared_ptr<const crypto::TlsSession> session;
  v1::StitchHello before;
  for (const bool resumed : {false, true}) {
    crypto::TlsPair pair(client_context, server_context, project.now, session);
    pair.Shake();
    REQUIRE(pair.ok());
    const crypto::TlsSecured client = pair.client.TakeSecured();
    const crypto::TlsSecured server = pair.server.TakeSecured();
    REQUIRE(client.resumed == resumed);
    v1::StitchHello hello = Hello();
    hello.set_mac(HelloMac(*client.exported, HelloRole::kConsumer, hello));
    CHECK(HasHelloMac(*server.exported, HelloRole::kConsumer, hello));
    // Each connection has its own, also one that resumes another.
    if (resumed) CHECK_FALSE(HasHelloMac(*server.exported, HelloRole::kConsumer, before));
    before = hello;
    session = client.session;
  }
}

}  // namespace
}  // namespace culvert::stitch
