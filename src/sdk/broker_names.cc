#include "sdk/broker_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "base/target.h"

namespace culvert {
namespace {

constexpr char kDefaultPort[] = ":7400";
constexpr char kService[] = "_culvert._tcp.";

absl::StatusOr<BrokerName> ParseBroker(const std::string& text) {
  const absl::StatusOr<Target> host = ParseHost(text);
  const bool is_name = host.ok() && host->kind == Target::HostKind::kName;
  if (is_name && host->host != "localhost") return BrokerName{text + kDefaultPort, text};
  CULVERT_ASSIGN_OR_RETURN(const Target target, ParseTarget(is_name ? text + kDefaultPort : text));
  return BrokerName{target.ToString(), ""};
}

std::string AddressOf(const net::ServiceTarget& target) {
  return fmt::format("{}:{}", target.host, target.port);
}

}  // namespace

absl::StatusOr<std::vector<BrokerName>> ParseBrokers(const std::vector<std::string>& brokers) {
  if (brokers.empty()) return absl::InvalidArgumentError("no broker given: use --broker HOST:PORT");
  std::vector<BrokerName> names;
  for (const std::string& broker : brokers) {
    absl::StatusOr<BrokerName> name = ParseBroker(broker);
    if (!name.ok()) return Annotate(name.status(), "broker");
    names.push_back(*std::move(name));
  }
  return names;
}

struct BrokerNames::Entry {
  enum class State { kUnanswered, kNoRecord, kRecords, kNotOffered };

  Entry(net::EventLoop& loop, const BrokerName& its_name) : name(its_name), timer(loop) {}

  const BrokerName name;
  State state = State::kUnanswered;
  std::vector<net::ServiceTarget> records;  // sorted: of the last answer
  std::vector<std::string> targets;         // in the order to try them
  MonotonicTime asked{};
  std::shared_ptr<void> question;  // under way
  net::Timer timer;                // the next one
};

BrokerNames::Ask BrokerNames::AskDns(net::EventLoop& loop) {
  return [&loop](const std::string& name, net::ServiceLookup::Callback callback) {
    return std::make_shared<net::ServiceLookup>(loop, name, std::move(callback));
  };
}

BrokerNames::BrokerNames(net::EventLoop& loop, const std::vector<BrokerName>& names, Ask ask,
                         std::function<void()> on_change)
    : loop_(loop), ask_(std::move(ask)), on_change_(std::move(on_change)), first_(loop) {
  for (const BrokerName& name : names) entries_.emplace_back(loop, name);
  Collect();
  for (Entry& entry : entries_) {
    if (!entry.name.domain.empty()) AskAbout(entry);
  }
}

BrokerNames::~BrokerNames() = default;

// --- when to ask ---

void BrokerNames::AwaitFirst(std::function<void()> done) {
  on_first_ = std::move(done);
  first_.Start(kFirstTime, [this] {
    CULVERT_LOG(kWarning, "name servers take long to say where the brokers are; starting without");
    FinishFirst();
  });
  Collect();
}

void BrokerNames::FinishFirst() {
  first_.Cancel();
  if (on_first_) std::exchange(on_first_, nullptr)();
}

void BrokerNames::AskSoon() {
  for (Entry& entry : entries_) {
    if (entry.name.domain.empty() || entry.question != nullptr) continue;
    const Duration since = loop_.Now() - entry.asked;
    if (since >= kLeast) AskAbout(entry);
  }
}

void BrokerNames::AskAbout(Entry& entry) {
  entry.timer.Cancel();
  entry.asked = loop_.Now();
  entry.question = ask_(kService + entry.name.domain,
                        [this, &entry](const absl::StatusOr<net::ServiceRecords>& answer) {
                          HandleAnswer(entry, answer);
                        });
}

// --- what is answered ---

void BrokerNames::HandleAnswer(Entry& entry, const absl::StatusOr<net::ServiceRecords>& answer) {
  entry.question.reset();
  Duration next = kWithoutRecord;
  if (answer.ok()) {
    next = std::clamp(answer->ttl, Duration(kLeast), Duration(kMost));
    Take(entry, answer->targets);
  } else {
    CULVERT_LOG(kDebug, "broker {}: {}", entry.name.domain, MessageOf(answer.status()));
    // Somebody who does not answer has not taken back what was said before.
    const bool has_none = absl::IsNotFound(answer.status());
    if (has_none || entry.state == Entry::State::kUnanswered) {
      entry.state = Entry::State::kNoRecord;
      entry.targets.clear();
      entry.records.clear();
    }
  }
  entry.timer.Start(next, [this, &entry] { AskAbout(entry); });
  Collect();
}

void BrokerNames::Take(Entry& entry, std::vector<net::ServiceTarget> targets) {
  if (targets.empty()) {
    // The start says so itself.
    if (entry.state == Entry::State::kRecords || entry.state == Entry::State::kNoRecord) {
      CULVERT_LOG(kWarning, "{} says that it has no broker: {}{} SRV is \".\"", entry.name.domain,
                  kService, entry.name.domain);
    }
    entry.state = Entry::State::kNotOffered;
    entry.targets.clear();
    entry.records.clear();
    return;
  }
  std::sort(targets.begin(), targets.end());
  entry.state = Entry::State::kRecords;
  // What has not changed stays in the order that chance gave it: agents and users who would draw
  // again with every answer would miss each other more often.
  if (targets == entry.records) return;
  entry.records = targets;
  entry.targets.clear();
  const auto pick = [this](uint32_t most) {
    return absl::Uniform<uint32_t>(absl::IntervalClosed, random_, 0, most);
  };
  for (const net::ServiceTarget& target : net::InOrderToTry(std::move(targets), pick)) {
    if (entry.targets.size() < kMaxTargets) entry.targets.push_back(AddressOf(target));
  }
}

void BrokerNames::Collect() {
  std::vector<std::string> addresses;
  const auto add = [&addresses](const std::string& address) {
    const bool known = std::find(addresses.begin(), addresses.end(), address) != addresses.end();
    if (!known) addresses.push_back(address);
  };
  size_t unanswered = 0;
  const Entry* refused = nullptr;
  for (const Entry& entry : entries_) {
    if (entry.state == Entry::State::kNotOffered) {
      refused = &entry;
    } else if (entry.state == Entry::State::kRecords) {
      for (const std::string& target : entry.targets) add(target);
    } else {
      const bool waits = entry.state == Entry::State::kUnanswered && !entry.name.domain.empty();
      if (waits) ++unanswered;
      add(entry.name.address);
    }
  }
  offered_ = absl::OkStatus();
  if (addresses.empty()) {
    offered_ = absl::FailedPreconditionError(
        fmt::format("{} says that it has no broker: {}{} SRV is \".\"", refused->name.domain,
                    kService, refused->name.domain));
  } else if (addresses != addresses_) {
    addresses_ = std::move(addresses);
    on_change_();
  }
  if (unanswered == 0) FinishFirst();
}

}  // namespace culvert
