// Questions to a broker, one after another, from a command that waits for each answer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "net/loop_thread.h"
#include "rpc/connection.h"
#include "rpc/credentials.h"
#include "rpc/limits.h"
#include "rpc/stream.h"

namespace culvert {

struct BrokerAnswer {
  Bytes message;
  std::string address;  // the IP address that it came from
};

// Has a loop thread of its own, and keeps the connection to the broker that has answered. Confined
// to one other thread.
class BrokerCaller {
 public:
  struct Options {
    static constexpr Duration kLimit = std::chrono::seconds(10);

    std::vector<std::string> brokers = {};  // as in ClientOptions
    rpc::Credentials credentials = rpc::Credentials::Insecure();
    Duration limit = kLimit;  // for each broker
    int max_answer_bytes = rpc::kMaxMessageBytes;
  };

  explicit BrokerCaller(Options options) : options_(std::move(options)) {}
  ~BrokerCaller();
  BrokerCaller(const BrokerCaller&) = delete;
  BrokerCaller& operator=(const BrokerCaller&) = delete;

  // Asks the brokers in turn, from the one that answered last, until one answers; only one that
  // cannot be reached sends on to the next. The message of a failure names the broker. Blocks.
  absl::StatusOr<BrokerAnswer> Ask(rpc::Method method, const rpc::Frame& request);

  // For what is more than a question: connects to the broker that is `skip` places behind the next
  // one, without waiting for it.
  absl::Status Connect(size_t skip);
  // Runs `task` on the loop, and waits for its end. After Connect.
  void RunOnLoop(absl::FunctionRef<void(rpc::Connection&)> task);
  const std::string& address() const { return addresses_[next_]; }

 private:
  absl::Status Resolve();
  void ConnectTo(const std::string& address);
  absl::StatusOr<BrokerAnswer> AskAt(const std::string& address, rpc::Method method,
                                     const rpc::Frame& request);

  const Options options_;
  std::vector<std::string> addresses_;  // empty before the first question
  size_t next_ = 0;                     // of them
  net::LoopThread thread_;
  std::unique_ptr<rpc::Connection> connection_;  // of the loop
};

}  // namespace culvert
