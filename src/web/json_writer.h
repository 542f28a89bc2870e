// The frames of one call as JSON, in order.
#pragma once

#include <google/protobuf/descriptor.h>

#include <deque>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "net/worker_queue.h"
#include "rpc/stream.h"

namespace culvert::web {

// JSON of more bytes than this is read and written on a worker: a megabyte takes 10 to 50 ms.
inline constexpr size_t kMostOnLoop = size_t{8} * 1024;

// Confined to the loop; destroy = cancel. What it is given is bounded by who gives it.
class JsonWriter {
 public:
  // For each frame, perhaps inside the call that brings it.
  using OnJson = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;

  // `type` is that of the frames.
  JsonWriter(net::WorkerQueue& workers, const google::protobuf::Descriptor& type, OnJson on_json);
  ~JsonWriter();

  void Push(rpc::Frame frame);
  // `then` runs once all frames have been written, perhaps inside this call. Last.
  void Finish(absl::AnyInvocable<void() &&> then);

 private:
  void Go();
  void WriteOnWorker(rpc::Frame frame);

  net::WorkerQueue& workers_;
  const google::protobuf::Descriptor& type_;
  OnJson on_json_;
  std::deque<rpc::Frame> waiting_;
  std::unique_ptr<net::WorkerQueue::Job> job_;
  absl::AnyInvocable<void() &&> then_;
};

}  // namespace culvert::web
