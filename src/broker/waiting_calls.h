// Streams of unary calls whose answer comes later.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "broker/admission.h"
#include "broker/project_worker.h"
#include "rpc/stream.h"

namespace culvert::broker {

// Confined to the control loop.
class WaitingCalls {
 public:
  static constexpr uint64_t kMostOfOne = 256;                     // calls of one principal
  static constexpr size_t kMostBytes = size_t{64} * 1024 * 1024;  // of all requests together

  struct Asked {
    std::string who;
    size_t bytes = 0;  // of the request
    std::function<absl::Status()> may_go_on;
  };
  // Gives the stream, which is then answered.
  using TakeStream = absl::FunctionRef<std::unique_ptr<rpc::Stream>()>;

  WaitingCalls();
  ~WaitingCalls();
  WaitingCalls(const WaitingCalls&) = delete;
  WaitingCalls& operator=(const WaitingCalls&) = delete;

  // Has the stream until Finish, or its client goes away. RESOURCE_EXHAUSTED, and `take` is not
  // called, where there are too many.
  absl::StatusOr<uint64_t> Add(Asked asked, TakeStream take);
  // Lives as long as the call.
  WorkerClient Client(uint64_t call) const;
  // Of a call that is not there any more: nothing.
  void Finish(uint64_t call, const absl::StatusOr<rpc::Frame>& answer);
  // Ends those that may not go on.
  void CheckPermissions();

 private:
  class Call;

  SlotCounter of_one_{"calls that wait", kMostOfOne};
  size_t bytes_ = 0;
  uint64_t last_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<Call>> calls_;
};

}  // namespace culvert::broker
