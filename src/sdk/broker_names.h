// What the user calls the brokers, and what DNS says of it.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/random/random.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "net/event_loop.h"
#include "net/service_lookup.h"
#include "net/timer.h"

namespace culvert {

struct BrokerName {
  std::string address;  // "host:port", as gRPC takes it
  // A name without a port: SRV records of it count more than `address`, which has port 7400.
  std::string domain;
};

// "host:port", or a name alone; "localhost" is an address. INVALID_ARGUMENT for what is neither, or
// an empty list.
absl::StatusOr<std::vector<BrokerName>> ParseBrokers(const std::vector<std::string>& brokers);

// Keeps the addresses of brokers that are given by the name of a domain, by
// _culvert._tcp.DOMAIN SRV. Confined to the loop.
class BrokerNames {
 public:
  // The program starts without an answer that has not come by then.
  static constexpr Duration kFirstTime = std::chrono::seconds(2);
  // Between two questions about one name: never less, also when no broker answers.
  static constexpr Duration kLeast = std::chrono::seconds(5);
  // Without a record, or an answer, the next question that nobody wants sooner.
  static constexpr Duration kWithoutRecord = std::chrono::minutes(5);
  static constexpr Duration kMost = std::chrono::hours(24);
  static constexpr size_t kMaxTargets = 16;  // of one name

  // Starts a question about a name; destroying what it returns cancels it. The callback does not
  // run inside it.
  using Ask = std::function<std::shared_ptr<void>(const std::string& name,
                                                  net::ServiceLookup::Callback callback)>;
  static Ask AskDns(net::EventLoop& loop);

  // Asks at once. `on_change` runs when Addresses has changed.
  BrokerNames(net::EventLoop& loop, const std::vector<BrokerName>& names, Ask ask,
              std::function<void()> on_change);
  ~BrokerNames();
  BrokerNames(const BrokerNames&) = delete;
  BrokerNames& operator=(const BrokerNames&) = delete;

  // In the order to try them, each once. Never empty; before the first answer, and without a
  // record, a name is at port 7400.
  const std::vector<std::string>& addresses() const { return addresses_; }
  // That none of the domains has a broker, as they say themselves.
  const absl::Status& offered() const { return offered_; }
  // `done` runs once each name has an answer, or after kFirstTime; at once if there is nothing to
  // wait for.
  void AwaitFirst(std::function<void()> done);
  // No broker answers: asks again, unless it did a moment ago.
  void AskSoon();

 private:
  struct Entry;
  void AskAbout(Entry& entry);
  void HandleAnswer(Entry& entry, const absl::StatusOr<net::ServiceRecords>& answer);
  void Take(Entry& entry, std::vector<net::ServiceTarget> targets);
  void Collect();
  void FinishFirst();

  net::EventLoop& loop_;
  const Ask ask_;
  const std::function<void()> on_change_;
  std::list<Entry> entries_;
  std::vector<std::string> addresses_;
  absl::Status offered_;
  std::function<void()> on_first_;
  net::Timer first_;
  absl::InsecureBitGen random_;
};

}  // namespace culvert
