// HTTP/1.1 over memory: requests are read and answers written. No sockets, no meaning.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace culvert::web {

struct HttpField {
  std::string name;  // in lower case
  std::string value;
};

struct HttpRequest {
  std::string method;
  std::string target;
  bool is_1_1 = true;
  bool keep_alive = true;
  std::vector<HttpField> fields;
  std::string body;

  bool Has(std::string_view name) const;
  // The value of the only field of this name (in lower case); nothing if there is none or another.
  std::optional<std::string_view> Only(std::string_view name) const;
};

// Reads the requests of one connection, one after the other. Strict: whatever a proxy could read
// otherwise than we do ends the connection.
class HttpReader {
 public:
  static constexpr size_t kMostHead = size_t{16} * 1024;
  static constexpr size_t kMostBody = size_t{1024} * 1024;
  // Of a body beside what it says: the lines of chunks.
  static constexpr size_t kMostFraming = size_t{64} * 1024;

  enum class Step { kWantsBytes, kHead, kRequest };

  HttpReader();
  ~HttpReader();

  // Bytes of the client, cut anywhere. The caller stops at has_enough().
  void Feed(std::string_view bytes);
  // kHead once for each request, when request() is complete but for its body; kRequest when that is
  // there too, and then nothing more until Take(). An error is final; failure_code() is its HTTP
  // code.
  absl::StatusOr<Step> Next();
  const HttpRequest& request() const { return request_; }
  HttpRequest Take();
  // What came behind the request that was taken, for who goes on in another protocol.
  std::string TakeRest() { return std::exchange(buffer_, {}); }

  unsigned failure_code() const { return failure_code_; }
  // Whether a request has begun.
  bool has_begun() const { return state_ != State::kHead || !buffer_.empty(); }
  // More than this is not to be read while a request is answered.
  bool has_enough() const { return buffer_.size() >= kMostHead; }
  // Bytes that are held.
  size_t held() const;
  // Lets go of all of it; nothing is to be read any more.
  void Drop();
  // Bytes of bodies that were moved to close up the buffer.
  size_t moved() const { return moved_; }

 private:
  enum class State { kHead, kBody, kRequest };
  struct Parts;

  absl::StatusOr<Step> ReadHead();
  absl::StatusOr<Step> ReadBody();
  absl::Status CheckHead(std::string_view text);
  absl::Status Fail(unsigned code, absl::Status why);
  void TakeHead();

  std::unique_ptr<Parts> parts_;
  std::string buffer_;
  size_t searched_ = 0;   // of it, for the end of a head
  size_t body_read_ = 0;  // of the connection's bytes, for this body
  size_t moved_ = 0;
  HttpRequest request_;
  State state_ = State::kHead;
  unsigned failure_code_ = 400;
};

struct HttpAnswer {
  unsigned code = 200;
  std::string type = "application/json";
  std::string body = {};
  std::vector<HttpField> fields = {};
};

// How an answer goes out.
struct HttpForm {
  bool is_1_1 = true;
  bool keep_alive = true;
  bool without_body = false;  // of HEAD
};

std::string WriteAnswer(HttpAnswer answer, const HttpForm& form);
// The head of an answer whose body is chunks; with HTTP/1.0 the body is what comes until the end.
std::string WriteChunkedHead(const HttpAnswer& answer, const HttpForm& form);
std::string WriteChunk(std::string_view bytes, const HttpForm& form);
std::string WriteLastChunk(const HttpForm& form);
// The answer to a WebSocket handshake.
std::string WriteUpgrade(const std::string& accept);
std::string WriteContinue();

}  // namespace culvert::web
