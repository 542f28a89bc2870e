#include "web/json_writer.h"

#include <utility>

#include "web/transcoding.h"

namespace culvert::web {

JsonWriter::JsonWriter(net::WorkerQueue& workers, const google::protobuf::Descriptor& type,
                       OnJson on_json)
    : workers_(workers), type_(type), on_json_(std::move(on_json)) {}

JsonWriter::~JsonWriter() = default;

void JsonWriter::Push(rpc::Frame frame) {
  waiting_.push_back(std::move(frame));
  Go();
}

void JsonWriter::Finish(absl::AnyInvocable<void() &&> then) {
  then_ = std::move(then);
  Go();
}

void JsonWriter::Go() {
  while (job_ == nullptr && !waiting_.empty()) {
    rpc::Frame frame = std::move(waiting_.front());
    waiting_.pop_front();
    if (frame.head.size() + frame.body.size() > kMostOnLoop) {
      WriteOnWorker(std::move(frame));
    } else {
      on_json_(ToJson(type_, frame));
    }
  }
  if (job_ == nullptr && then_ != nullptr) std::exchange(then_, nullptr)();
}

void JsonWriter::WriteOnWorker(rpc::Frame frame) {
  auto json = std::make_shared<absl::StatusOr<std::string>>();
  job_ = workers_.Submit(
      [&type = type_, frame = std::move(frame), json] { *json = ToJson(type, frame); },
      [this, json] {
        job_.reset();
        on_json_(std::move(*json));
        Go();
      });
}

}  // namespace culvert::web
