#include "sdk/client_core.h"

#include <utility>

namespace culvert {

ClientCore::ClientCore(const ClientOptions& options,
                       const std::vector<std::string>& broker_addresses,
                       const rpc::Credentials& credentials)
    : options_(options), budget_(options.memory_limit) {
  thread_.Run(
      [&] { brokers_ = std::make_unique<BrokerList>(loop(), broker_addresses, credentials); });
}

ClientCore::~ClientCore() {
  thread_.Run([this] { brokers_.reset(); });
}

void ClientCore::RunOnLoop(net::EventLoop::Task task) {
  if (loop().IsOnThread()) {
    std::move(task)();
  } else {
    thread_.Run(std::move(task));
  }
}

}  // namespace culvert
