#include "agent/tcp_service.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "net/file_io.h"
#include "tests/support/catch.h"
#include "tests/support/loopback.h"

namespace culvert::agent {
namespace {

using namespace std::chrono_literals;

// Keeps all of libuv's threads busy, as a resolver does that never answers.
class BusyThreads {
 public:
  explicit BusyThreads(net::EventLoop& loop) : loop_(loop) {
    REQUIRE(pipe2(pipe_, O_CLOEXEC) == 0);
    for (int i = 0; i < kThreads; ++i) {
      readers_.push_back(std::make_unique<net::FileIo>(loop, net::UniqueFd(dup(pipe_[0]))));
      readers_.back()->Read(1, [this](ssize_t, std::string) { ++done_; });
    }
  }
  ~BusyThreads() {
    close(pipe_[1]);
    CHECK(loop_.RunUntil([this] { return done_ == kThreads; }, 5s));
    close(pipe_[0]);
  }

 private:
  static constexpr int kThreads = 4;  // libuv's default
  net::EventLoop& loop_;
  int pipe_[2] = {-1, -1};
  std::vector<std::unique_ptr<net::FileIo>> readers_;
  int done_ = 0;
};

std::shared_ptr<const config::AllowList> Allow(const std::string& rule) {
  auto list = std::make_shared<config::AllowList>();
  list->Add(*config::AllowRule::Parse(rule));
  return list;
}

// What Start answers.
absl::Status StartOf(net::EventLoop& loop, TcpService& service) {
  std::optional<absl::Status> answer;
  service.Start([&](absl::Status status) { answer = std::move(status); });
  CHECK(loop.RunUntil([&] { return answer.has_value(); }, 5s));
  return answer.value_or(absl::OkStatus());
}

TEST_CASE("The tcp service gives up on a resolver that does not answer", "[tcp_service]") {
  net::EventLoop loop;
  const BusyThreads busy(loop);
  TcpService service(loop, *ParseTarget("db.invalid:5432"), Allow("db.invalid:5432"), 20ms);
  const absl::Status status = StartOf(loop, service);
  CHECK(ErrorCodeOf(status) == ErrorCode::kTimeout);
  CHECK(MessageOf(status) == "resolve db.invalid: timed out");
}

TEST_CASE("The tcp service may be closed while it resolves", "[tcp_service]") {
  net::EventLoop loop;
  const BusyThreads busy(loop);
  TcpService service(loop, *ParseTarget("db.invalid:5432"), Allow("db.invalid:5432"), 10ms);
  bool answered = false;
  service.Start([&](absl::Status) { answered = true; });
  service.Close(absl::CancelledError("gone"));
  loop.RunUntil([] { return false; }, 30ms);
  CHECK_FALSE(answered);
}

TEST_CASE("The tcp service reaches what is allowed and tells what is not there", "[tcp_service]") {
  net::EventLoop loop;
  test::Fd listener = test::ListenOnLoopback();
  const uint16_t port = test::PortOf(listener.get());
  const auto allow = Allow("127.0.0.1:*");
  {
    TcpService service(loop, Target{Target::HostKind::kIpv4, "127.0.0.1", port}, allow, 1s);
    CHECK(StartOf(loop, service).ok());
    service.Close(absl::OkStatus());
  }
  listener.Close();
  TcpService refused(loop, Target{Target::HostKind::kIpv4, "127.0.0.1", port}, allow, 1s);
  CHECK(ErrorCodeOf(StartOf(loop, refused)) == ErrorCode::kRefused);
  TcpService denied(loop, Target{Target::HostKind::kIpv4, "127.0.0.2", port}, allow, 1s);
  CHECK(ErrorCodeOf(StartOf(loop, denied)) == ErrorCode::kDenied);
}

}  // namespace
}  // namespace culvert::agent
