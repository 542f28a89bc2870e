// A call over HTTP: one request, then one answer, or one on each line.
#pragma once

#include <string>

#include "net/byte_stream.h"
#include "web/call.h"
#include "web/http_message.h"
#include "web/json_writer.h"
#include "web/route.h"

namespace culvert::web {

// Confined to the loop.
class HttpCall final : public Call {
 public:
  // How the answer goes out. None of it calls back at once.
  class Owner {
   public:
    virtual void SendAnswer(HttpAnswer answer) = 0;
    virtual void BeginLines() = 0;
    // `done` as ByteStream::Write has it, with a line that was whole.
    virtual void SendLine(const std::string& line, net::ByteStream::Completion done) = 0;
    virtual void EndLines() = 0;

   protected:
    ~Owner() = default;
  };

  // `owner` outlives it.
  HttpCall(net::WorkerQueue& workers, Owner& owner, const Route& route, Bytes request);

  bool sends_lines() const { return route_.kind == Route::Kind::kLines; }

 private:
  enum class Input { kRequest, kEnd, kDone };

  void Deliver() override;
  void Send(rpc::Frame frame) override;
  void SendEnd(const absl::Status& status) override;
  void Take(absl::StatusOr<std::string> json);
  void SendLine(const std::string& json);
  void Complete(const absl::Status& status);

  Owner& owner_;
  const Route& route_;
  Bytes request_;
  Input input_ = Input::kRequest;
  bool lines_have_begun_ = false;
  HttpAnswer answer_;
  absl::Status broken_;  // why what the broker wrote cannot be said
  JsonWriter writer_;
};

// The answer that says so.
HttpAnswer ErrorAnswer(const absl::Status& status);
HttpAnswer ErrorAnswer(unsigned code, const absl::Status& status);

}  // namespace culvert::web
