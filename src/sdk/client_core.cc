#include "sdk/client_core.h"

#include <malloc.h>

#include <future>
#include <utility>

#include "base/log.h"

namespace culvert {
namespace {

// It walks all of the heap: milliseconds.
constexpr Duration kReturnInterval = std::chrono::seconds(10);

// AddressSanitizer brings its own allocator. glibc's is never set up then, and two loops that trim
// it at the same time would both try to.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kGlibcAllocates = false;
#else
constexpr bool kGlibcAllocates = true;
#endif

// By "PROJECT/AGENT".
std::map<std::string, std::string> PinnedKeys(const ClientOptions& options,
                                              const crypto::SpiffeId& own) {
  std::map<std::string, std::string> keys;
  for (const auto& [agent, key] : options.agent_keys) keys[own.project + "/" + agent] = key;
  return keys;
}

}  // namespace

ClientCore::ClientCore(const ClientOptions& options, const std::vector<BrokerName>& brokers,
                       const std::optional<crypto::Identity>& identity)
    : options_(options),
      shares_{tunnel::MemoryBudget(options.memory_limit)},
      broker_use_(brokers.front().address, MonotonicNow()) {
  const rpc::Credentials credentials =
      identity ? rpc::Credentials::ForIdentity(*identity) : rpc::Credentials::Insecure();
  thread_.Run([&] {
    suspended_ = std::make_unique<SuspendedChannels>(loop(), budget());
    MakeBrokers(brokers, credentials);
    release_openings_.emplace(loop());
    attachment_ = Attach();
    if (!identity) return;
    key_ = identity->key.public_key().id();
    end_to_end_ = std::make_unique<EndToEnd>(loop(), *brokers_, *identity, options_.state_dir,
                                             PinnedKeys(options_, identity->spiffe_id()));
    identity_ = std::make_unique<IdentityKeeper>(
        loop(), *brokers_, *identity, options_.state_dir,
        options_.rotate_key ? KeyChoice::kNew : KeyChoice::kSame,
        [this](const crypto::Identity& renewed) { UseRenewed(renewed); });
  });
}

void ClientCore::MakeBrokers(const std::vector<BrokerName>& brokers,
                             const rpc::Credentials& credentials) {
  names_ = std::make_unique<BrokerNames>(loop(), brokers, BrokerNames::AskDns(loop()), [this] {
    if (brokers_ != nullptr) brokers_->SetAddresses(names_->addresses());
  });
  brokers_ = std::make_unique<BrokerList>(loop(), names_->addresses(), credentials);
  connectivity_ = std::make_unique<Connectivity>(loop(), *brokers_);
  connectivity_->SetOnNoBroker([this] { names_->AskSoon(); });
}

absl::Status ClientCore::AwaitBrokers() {
  auto known = std::make_shared<std::promise<absl::Status>>();
  RunOnLoop([this, known] {
    names_->AwaitFirst([this, known] {
      broker_use_ = BrokerUse(names_->addresses().front(), loop().Now());
      known->set_value(names_->offered());
    });
  });
  return known->get_future().get();
}

std::unique_ptr<Attachment> ClientCore::Attach() {
  return std::make_unique<Attachment>(
      loop(), *brokers_, *connectivity_, options_,
      Attachment::Process{.renew =
                              [this] {
                                if (identity_ != nullptr) identity_->RenewNow();
                              },
                          .hold_openings = [this](Duration time) { HoldOpenings(time); }});
}

void ClientCore::HoldOpenings(Duration time) {
  openings_.Hold();
  release_openings_->Start(time, [this] { openings_.Release(); });
}

void ClientCore::UseRenewed(const crypto::Identity& renewed) {
  brokers_->SetCredentials(rpc::Credentials::ForIdentity(renewed));
  end_to_end_->SetIdentity(renewed);
  attachment_->HandleRenewed();
  const std::string& key = renewed.key.public_key().id();
  if (key == key_) {
    CULVERT_LOG(kInfo, "certificate renewed");
    return;
  }
  CULVERT_LOG(kInfo, "certificate renewed for the new key {}", key);
  key_ = key;
  for (const KeyObserver* observer : key_observers_) observer->on_new_key_();
}

ClientCore::KeyObserver::KeyObserver(ClientCore& core, std::function<void()> on_new_key)
    : core_(core), on_new_key_(std::move(on_new_key)) {
  core_.key_observers_.push_back(this);
}

ClientCore::KeyObserver::~KeyObserver() { core_.key_observers_.remove(this); }

ClientCore::~ClientCore() {
  thread_.Run([this] {
    attachment_.reset();
    release_openings_.reset();
    identity_.reset();
    end_to_end_.reset();
    names_.reset();
    connectivity_.reset();
    brokers_.reset();
    suspended_.reset();
  });
}

void ClientCore::ReturnFreeMemory() {
  const MonotonicTime now = loop().Now();
  if (memory_returned_ && now - *memory_returned_ < kReturnInterval) return;
  memory_returned_ = now;
  if (kGlibcAllocates) malloc_trim(0);
}

void ClientCore::RunOnLoop(net::EventLoop::Task task) {
  if (loop().IsOnThread()) {
    std::move(task)();
  } else {
    thread_.Run(std::move(task));
  }
}

}  // namespace culvert
