#include "broker/admin_server.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "base/log.h"
#include "base/status.h"
#include "broker/admin_client.h"
#include "crypto/certificate_authority.h"
#include "crypto/enrolment_token.h"
#include "net/loop_thread.h"
#include "net/unix_socket.h"
#include "tests/support/eventually.h"
#include "tests/unit/broker/admin_fixture.h"

namespace culvert::broker {
namespace {

using namespace std::chrono_literals;

// A server on a loop of its own; the test thread is the blocking client.
struct AdminServerFixture : AdminFixture {
  AdminServerFixture() { Listen(geteuid()); }
  ~AdminServerFixture() {
    thread.Run([this] { server.reset(); });
  }

  void Listen(uid_t owner) {
    absl::Status listening;
    thread.Run([&] {
      server.reset();
      auto made = AdminServer::Listen(thread.loop(), path, *admin, owner);
      listening = made.status();
      if (made.ok()) server = *std::move(made);
    });
    REQUIRE(listening.ok());
  }
  size_t Connections() {
    size_t count = 0;
    thread.Run([&] { count = server->connections(); });
    return count;
  }
  net::UniqueFd Connect() const {
    auto fd = net::ConnectToUnixSocket(path, 20s);
    REQUIRE(fd.ok());
    return *std::move(fd);
  }
  // Everything up to the end; the error that reading ended with is "error".
  static std::string ReadAll(int fd) {
    std::string all;
    char buffer[4096];
    while (true) {
      const ssize_t got = read(fd, buffer, sizeof(buffer));
      if (got < 0) return "error";
      if (got == 0) return all;
      all.append(buffer, static_cast<size_t>(got));
    }
  }
  static void Send(int fd, const std::string& text) {
    CHECK(write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }

  const std::string path = AdminSocketPath(directory.path());
  net::LoopThread thread;
  std::unique_ptr<AdminServer> server;
};

TEST_CASE_METHOD(AdminServerFixture, "Admin server answers a request and closes",
                 "[admin_server]") {
  const net::UniqueFd client = Connect();
  Send(client.get(), R"({"command":"token list",)");
  Send(client.get(), "\"args\":{}}\n");
  CHECK(ReadAll(client.get()) == "{\"result\":[]}\n");
  CHECK(test::Eventually([this] { return Connections() == 0; }));
}

TEST_CASE_METHOD(AdminServerFixture, "Admin server is what the command line reaches",
                 "[admin_server]") {
  const Json request = {{"command", "policy allow"},
                        {"args", {{"subject", Subject("user", "alice")}}}};
  REQUIRE(CallAdmin(directory.path(), directory.File("audit.log"), request).ok());
  CHECK(changes == std::vector<AdminChange>{AdminChange::kPolicy});
  REQUIRE(events.size() == 1);
  CHECK(events[0].principal == fmt::format("uid {}", geteuid()));
  const auto failed = CallAdmin(directory.path(), "", {{"command", "walk"}, {"args", {}}});
  CHECK(absl::IsInvalidArgument(failed.status()));
}

TEST_CASE_METHOD(AdminServerFixture, "Admin server sends an answer that is larger than a socket",
                 "[admin_server]") {
  for (int i = 0; i < 3000; ++i) {
    REQUIRE(store->principals().Record(User(fmt::format("u{}", i)), "01", now, now).ok());
  }
  const auto list =
      CallAdmin(directory.path(), "", {{"command", "principal list"}, {"args", Json::object()}});
  REQUIRE(list.ok());
  CHECK(list->size() == 3000);
}

TEST_CASE_METHOD(AdminServerFixture, "Admin server refuses a request without an end",
                 "[admin_server]") {
  const net::UniqueFd client = Connect();
  Send(client.get(), std::string(AdminServer::kMaxRequestBytes + 1, 'x'));
  CHECK(absl::IsInvalidArgument(ReadAdminAnswer(ReadAll(client.get())).status()));
}

TEST_CASE_METHOD(AdminServerFixture, "Admin server lets go of who leaves", "[admin_server]") {
  net::UniqueFd client = Connect();
  Send(client.get(), "{");
  CHECK(test::Eventually([this] { return Connections() == 1; }));
  client.reset();
  CHECK(test::Eventually([this] { return Connections() == 0; }));
}

TEST_CASE_METHOD(AdminServerFixture, "Admin server has few connections at once", "[admin_server]") {
  SetLogLevel(LogLevel::kOff);
  std::vector<net::UniqueFd> clients;
  for (size_t i = 0; i < AdminServer::kMaxConnections; ++i) clients.push_back(Connect());
  CHECK(test::Eventually([this] { return Connections() == AdminServer::kMaxConnections; }));
  CHECK(ReadAll(Connect().get()).empty());
  clients.clear();
  CHECK(test::Eventually([this] { return Connections() == 0; }));
  SetLogLevel(LogLevel::kInfo);
}

TEST_CASE_METHOD(AdminServerFixture, "Admin server closes who says nothing for 5 seconds",
                 "[admin_server][slow]") {
  const net::UniqueFd client = Connect();
  CHECK(ReadAll(client.get()).empty());
  CHECK(Connections() == 0);
}

TEST_CASE_METHOD(AdminServerFixture, "Admin server listens to its owner and to root only",
                 "[admin_server]") {
  constexpr uid_t kNobody = 65534;
  SetLogLevel(LogLevel::kOff);
  if (geteuid() != 0) Listen(geteuid() + 1);
  std::filesystem::permissions(directory.path(), std::filesystem::perms::all);
  std::filesystem::permissions(path, std::filesystem::perms::all);
  std::string answer = "none";
  // The system call, unlike the library's, is about this thread alone.
  std::thread other([&] {
    if (geteuid() == 0) syscall(SYS_setresuid, kNobody, kNobody, kNobody);
    auto client = net::ConnectToUnixSocket(path, 20s);
    if (client.ok()) answer = ReadAll(client->get());
  });
  other.join();
  CHECK(answer.empty());
  CHECK(Connections() == 0);
  SetLogLevel(LogLevel::kInfo);
}

TEST_CASE_METHOD(AdminServerFixture, "Admin server takes its socket away", "[admin_server]") {
  thread.Run([this] { server.reset(); });
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("Token is for the authority that is elsewhere, and none is made", "[admin_client]") {
  const test::TempDirectory directory;
  const auto elsewhere = crypto::CertificateAuthority::Create(
      "elsewhere", WallNow() - std::chrono::hours(1), WallNow() + std::chrono::hours(1));
  directory.Write("given.pem", elsewhere.certificate().Pem());
  const std::string state_dir = directory.File("broker");
  const Json request = {{"command", "token create"},
                        {"args", {{"role", "user"}, {"name", "alice"}, {"ttl_ms", 1000}}}};
  const auto missing = CallAdmin(state_dir, directory.File("audit.log"), request,
                                 ThisAdministrator(), directory.File("missing.pem"));
  CHECK_FALSE(missing.ok());
  const auto made = CallAdmin(state_dir, directory.File("audit.log"), request, ThisAdministrator(),
                              directory.File("given.pem"));
  INFO(made.status().ToString());
  REQUIRE(made.ok());
  const auto token = crypto::EnrolmentToken::Parse((*made)["token"].get<std::string>());
  REQUIRE(token.ok());
  CHECK(token->ca_fingerprint == elsewhere.certificate().Fingerprint());
  CHECK_FALSE(std::filesystem::exists(state_dir + "/ca-key.pem"));
}

TEST_CASE("Without a store the command line lists nothing and makes nothing", "[admin_client]") {
  const test::TempDirectory directory;
  const std::string there = directory.File("mistyped");
  for (const char* command : {"token list", "issuer list", "principal list", "ca requests"}) {
    const auto listed = CallAdmin(there, directory.File("audit.log"),
                                  {{"command", command}, {"args", Json::object()}});
    CHECK(absl::IsNotFound(listed.status()));
    CHECK(MessageOf(listed.status()) == "no store in " + there + ": is it --state-dir's?");
  }
  CHECK_FALSE(std::filesystem::exists(there));
  CHECK(CallAdmin(there, directory.File("audit.log"),
                  {{"command", "group add"}, {"args", {{"name", "ops"}}}})
            .ok());
  CHECK(std::filesystem::exists(there));
}

TEST_CASE_METHOD(AdminFixture, "Without a broker the command line has the store to itself",
                 "[admin_client]") {
  const Json list = {{"command", "token list"}, {"args", Json::object()}};
  const std::string audit = directory.File("audit.log");
  const auto busy = CallAdmin(directory.path(), audit, list);
  CHECK(absl::IsUnavailable(busy.status()));
  CHECK(MessageOf(busy.status()).find("no broker answers") != std::string_view::npos);

  admin.reset();
  store.reset();
  CHECK(*CallAdmin(directory.path(), audit, list) == Json::array());
  const auto made = CallAdmin(directory.path(), audit,
                              {{"command", "token create"},
                               {"args", {{"role", "user"}, {"name", "alice"}, {"ttl_ms", 1}}}});
  REQUIRE(made.ok());
  CHECK(std::filesystem::exists(directory.File("ca.pem")));
  CHECK(directory.Read("audit.log").find("token 1 made for user alice") != std::string::npos);
}

}  // namespace
}  // namespace culvert::broker
