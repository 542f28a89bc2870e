// Many agents in one process, each with a key, a certificate, a connection and a session of its own
// and nothing to do. idle_agents.py tells it what to do.
//
//   idle_agents STATE-DIR PORT COUNT AT-ONCE
//
// STATE-DIR is the broker's, whose authority issues the certificates. A line with a number on
// standard input has so many agents register, at most AT-ONCE at a time; "silent" asks how many
// have had no answer for a while; the end of the input has all leave.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "broker/pki.h"
#include "crypto/random.h"
#include "net/limits.h"
#include "net/loop_thread.h"
#include "net/timer.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "rpc/codec.h"
#include "rpc/connection.h"

namespace culvert {
namespace {

namespace pb = ntt::proxies::v1;

constexpr Duration kPingAfter = std::chrono::seconds(5);     // as the SDK
constexpr Duration kSilentAfter = std::chrono::seconds(20);  // then the SDK gives up
constexpr Duration kRetryAfter = std::chrono::seconds(1);
constexpr auto kRegisterTime = std::chrono::minutes(20);  // all of them

using Identities = std::vector<std::optional<crypto::Identity>>;

crypto::Identity NewIdentity(const crypto::CertificateAuthority& authority, size_t number) {
  const crypto::SpiffeId id{broker::kTrustDomain, "default", crypto::SpiffeId::Role::kAgent,
                            fmt::format("edge-{}", number)};
  const crypto::PrivateKey key = crypto::PrivateKey::Generate();
  const auto content = broker::PrincipalContent(id, WallNow(), broker::kCertificateLife);
  absl::StatusOr<crypto::Identity> identity = crypto::Identity::FromParts(
      key, authority.Issue(key.public_key(), content), authority.certificate());
  CULVERT_CHECK(identity.ok());
  return *std::move(identity);
}

// On all processors: each takes some milliseconds.
Identities MakeIdentities(const crypto::CertificateAuthority& authority, size_t count) {
  Identities made(count);
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < count; i = next++) made[i] = NewIdentity(authority, i);
  };
  std::vector<std::thread> threads;
  const unsigned processors = std::max(std::thread::hardware_concurrency(), 1U);
  for (unsigned i = 0; i < processors; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return made;
}

// One registration: what sdk/provider_session sends and answers, as long as nothing happens.
// Confined to the loop.
class Agent final : private rpc::Stream::Delegate {
 public:
  class Owner {
   public:
    virtual void OnRegistered() = 0;
    // It had registered.
    virtual void OnLost(const absl::Status& why) = 0;

   protected:
    ~Owner() = default;
  };

  Agent(net::EventLoop& loop, const std::string& address, const crypto::Identity& identity,
        Owner& owner)
      : loop_(loop),
        connection_(loop, address, rpc::Credentials::ForIdentity(identity)),
        name_(identity.spiffe_id().name),
        timer_(loop),
        owner_(owner) {
    Register();
  }
  bool IsSilent() const { return loop_.Now() - last_heard_ > kSilentAfter; }

 private:
  void Register() {
    pb::ListenRequest request;
    auto& open = *request.mutable_open_request();
    open.set_project("projects/default");
    open.set_name(name_);
    open.set_caps(tunnel::kOwnCapabilities | tunnel::kCapEndToEnd | tunnel::kCapStitched);
    open.set_incarnation(crypto::RandomUint64());
    open.add_services("tcp");
    stream_ = connection_.Start(rpc::Method::kListen);
    stream_->SetDelegate(this);
    stream_->Write(rpc::FrameOf(request));
    stream_->Read();
  }

  void OnMessage(Bytes message) override {
    pb::ListenResponse response;
    CULVERT_CHECK(response.ParseFromArray(message.data(), static_cast<int>(message.size())));
    stream_->Read();
    if (response.has_listening() && !std::exchange(registered_, true)) owner_.OnRegistered();
    last_heard_ = loop_.Now();
    timer_.Start(kPingAfter, [this] { Ping(); });
  }
  void Ping() {
    pb::ListenRequest request;
    request.mutable_ping();
    stream_->Write(rpc::FrameOf(request));
  }
  void OnWritten() override {}
  // A busy machine may not have a connection ready in time.
  void OnEnd(absl::Status status) override {
    stream_.reset();
    if (registered_) owner_.OnLost(status);
    if (!registered_) timer_.Start(kRetryAfter, [this] { Register(); });
  }

  net::EventLoop& loop_;
  rpc::Connection connection_;
  const std::string name_;
  bool registered_ = false;
  MonotonicTime last_heard_{};
  std::unique_ptr<rpc::Stream> stream_;
  net::Timer timer_;  // the next ping, or the next try
  Owner& owner_;
};

// Confined to the loop.
class Crowd final : public Agent::Owner {
 public:
  // `identities` outlive it.
  Crowd(net::EventLoop& loop, std::string address, const Identities& identities, size_t at_once)
      : loop_(loop), address_(std::move(address)), identities_(identities), at_once_(at_once) {}

  // `done` hears of it when `count` are registered.
  void Grow(size_t count, std::promise<void>& done) {
    wanted_ = std::min(count, identities_.size());
    done_ = &done;
    StartMore();
  }
  auto CountSilent() const {
    return std::count_if(agents_.begin(), agents_.end(),
                         [](const auto& agent) { return agent->IsSilent(); });
  }

 private:
  void StartMore() {
    while (agents_.size() < wanted_ && agents_.size() - registered_ < at_once_) {
      const crypto::Identity& identity = *identities_[agents_.size()];
      agents_.push_back(std::make_unique<Agent>(loop_, address_, identity, *this));
    }
    if (registered_ == wanted_ && done_ != nullptr) std::exchange(done_, nullptr)->set_value();
  }

  void OnRegistered() override {
    ++registered_;
    StartMore();
  }
  // A figure of fewer agents than were asked for is worth nothing.
  void OnLost(const absl::Status& why) override {
    fmt::print(stderr, "an agent was lost, {} being registered: {}\n", registered_, why.ToString());
    std::_Exit(1);
  }

  net::EventLoop& loop_;
  const std::string address_;
  const Identities& identities_;
  const size_t at_once_;
  std::vector<std::unique_ptr<Agent>> agents_;
  size_t registered_ = 0;
  size_t wanted_ = 0;
  std::promise<void>* done_ = nullptr;
};

void Say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void Grow(net::EventLoop& loop, Crowd& crowd, size_t count) {
  std::promise<void> done;
  const MonotonicTime began = MonotonicNow();
  loop.Post([&] { crowd.Grow(count, done); });
  if (done.get_future().wait_for(kRegisterTime) != std::future_status::ready) {
    fmt::print(stderr, "{} agents did not register in time\n", count);
    std::_Exit(1);
  }
  Say(fmt::format("registered {} {:.3f}", count,
                  std::chrono::duration<double>(MonotonicNow() - began).count()));
}

int Run(const std::string& state_dir, const std::string& port, size_t count, size_t at_once) {
  const auto authority = broker::LoadAuthority(state_dir);
  if (!authority.ok()) {
    fmt::print(stderr, "{}: {}\n", state_dir, authority.status().ToString());
    return 1;
  }
  const Identities identities = MakeIdentities(*authority, count);
  net::LoopThread thread;
  std::unique_ptr<Crowd> crowd;
  thread.Run([&] {
    crowd = std::make_unique<Crowd>(thread.loop(), "127.0.0.1:" + port, identities, at_once);
  });
  Say("ready");
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "silent") {
      thread.Run([&] { Say(fmt::format("silent {}", crowd->CountSilent())); });
    } else {
      Grow(thread.loop(), *crowd, static_cast<size_t>(std::atol(line.c_str())));
    }
  }
  thread.Run([&] { crowd.reset(); });
  return 0;
}

}  // namespace
}  // namespace culvert

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: {} STATE-DIR PORT COUNT AT-ONCE\n", argv[0]);
    return 2;
  }
  CULVERT_CHECK(culvert::net::RaiseProcessLimits().ok());
  culvert::SetLogLevel(culvert::LogLevel::kWarning);
  return culvert::Run(argv[1], argv[2], static_cast<size_t>(std::atol(argv[3])),
                      static_cast<size_t>(std::atol(argv[4])));
}
