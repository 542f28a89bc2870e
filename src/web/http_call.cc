#include "web/http_call.h"

#include <fmt/format.h>

#include <utility>

#include "web/http_code.h"
#include "web/transcoding.h"

namespace culvert::web {

HttpAnswer ErrorAnswer(unsigned code, const absl::Status& status) {
  HttpAnswer answer;
  answer.code = code;
  answer.body = StatusJson(status);
  if (code == 401) answer.fields.push_back({"WWW-Authenticate", "Bearer"});
  return answer;
}

HttpAnswer ErrorAnswer(const absl::Status& status) {
  return ErrorAnswer(HttpCodeOf(status.code()), status);
}

HttpCall::HttpCall(net::WorkerQueue& workers, Owner& owner, const Route& route, Bytes request)
    : Call(workers.loop()),
      owner_(owner),
      route_(route),
      request_(std::move(request)),
      writer_(workers, *route.rpc->output_type(),
              [this](absl::StatusOr<std::string> json) { Take(std::move(json)); }) {}

void HttpCall::Deliver() {
  if (!is_read_wanted()) return;
  if (input_ == Input::kRequest) {
    input_ = Input::kEnd;
    DeliverMessage(std::exchange(request_, {}));
  } else if (input_ == Input::kEnd) {
    input_ = Input::kDone;
    DeliverEndOfInput();
  }
}

void HttpCall::Send(rpc::Frame frame) { writer_.Push(std::move(frame)); }

void HttpCall::Take(absl::StatusOr<std::string> json) {
  if (!json.ok()) {
    broken_ = json.status();
    HandleWritten();
  } else if (route_.kind == Route::Kind::kLines) {
    SendLine(*json);
  } else {
    answer_.body = *std::move(json);
    HandleWritten();
  }
}

void HttpCall::SendLine(const std::string& json) {
  if (!std::exchange(lines_have_begun_, true)) owner_.BeginLines();
  owner_.SendLine(json + "\n", [this](const absl::Status& status) {
    if (status.ok()) HandleWritten();
  });
}

void HttpCall::SendEnd(const absl::Status& status) {
  writer_.Finish([this, status] { Complete(status); });
}

void HttpCall::Complete(const absl::Status& status) {
  const absl::Status& why = status.ok() ? broken_ : status;
  if (route_.kind == Route::Kind::kLines && (lines_have_begun_ || why.ok())) {
    if (!std::exchange(lines_have_begun_, true)) owner_.BeginLines();
    if (!why.ok()) {
      owner_.SendLine(fmt::format("{{\"error\":{}}}\n", StatusJson(why)),
                      [](const absl::Status&) {});
    }
    owner_.EndLines();
  } else if (!why.ok()) {
    owner_.SendAnswer(ErrorAnswer(why));
  } else if (answer_.body.empty()) {
    owner_.SendAnswer(ErrorAnswer(absl::InternalError("the call has no answer")));
  } else {
    owner_.SendAnswer(std::move(answer_));
  }
}

}  // namespace culvert::web
