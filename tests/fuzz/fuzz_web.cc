// Requests as anybody sends them to the web port: no crash, and what is read is read in the same
// way however it is cut. The input is the bytes of one connection.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "web/http_message.h"
#include "web/request_rules.h"
#include "web/route.h"
#include "web/transcoding.h"
#include "web/web_socket.h"

using namespace culvert::web;

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

namespace {

// What the call behind a request would be, as text.
std::string Judge(const HttpRequest& request) {
  if (const auto refusal = RefuseHead(request, true)) return refusal->body;
  const std::string_view target = request.target;
  const std::string_view path = target.substr(0, target.find('?'));
  const std::string_view query = target.substr(std::min(path.size() + 1, target.size()));
  const auto match = MatchRoute(request.method, path);
  if (!match.ok()) return match.status().ToString();
  std::string accept;
  if (match->route->kind == Route::Kind::kSocket) {
    RefuseHandshake(request, accept);
    return accept;
  }
  if (const auto refusal = RefuseBody(request)) return refusal->body;
  const auto message = MakeRequest(*match, query, request);
  if (!message.ok()) return message.status().ToString();
  // What was made has JSON, which makes the same again.
  const culvert::rpc::Frame frame{std::string(message->view()), {}};
  CULVERT_CHECK(ToJson(*match->route->rpc->input_type(), frame).ok());
  return frame.head;
}

std::string ReadAll(std::string_view input, size_t piece) {
  HttpReader reader;
  std::string outcome;
  for (size_t start = 0; start < input.size(); start += piece) {
    reader.Feed(input.substr(start, piece));
    while (true) {
      const auto step = reader.Next();
      if (!step.ok()) return outcome + std::to_string(reader.failure_code());
      CULVERT_CHECK(reader.held() <= HttpReader::kMostHead + HttpReader::kMostBody + input.size());
      if (*step == HttpReader::Step::kWantsBytes) break;
      if (*step == HttpReader::Step::kRequest) outcome += Judge(reader.Take());
    }
  }
  return outcome;
}

std::string ReadSocket(std::string_view input, size_t piece) {
  constexpr size_t kMostMessage = 1024;
  WebSocket socket(kMostMessage);
  std::string outcome;
  for (size_t start = 0; start < input.size() && !socket.has_ended(); start += piece) {
    socket.Feed(input.substr(start, piece));
    while (socket.has_message()) {
      const SocketMessage message = socket.TakeMessage();
      CULVERT_CHECK(message.content.size() <= kMostMessage);
      outcome += message.content;
    }
    outcome += socket.TakeOutput();
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  CULVERT_CHECK(ReadAll(input, size + 1) == ReadAll(input, 1 + size % 7));
  ReadSocket(input, size + 1);
  ReadSocket(input, 1 + size % 7);
  return 0;
}
