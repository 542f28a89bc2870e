#include "web/http_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/status.h"

namespace culvert::web {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

using Parser = http::request_parser<http::string_body>;
using ErrorCode = beast::error_code;

constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr size_t kLeastOfChunks = 5;  // "0\r\n\r\n"
constexpr unsigned kHttp10 = 10;
constexpr unsigned kHttp11 = 11;

std::string_view ViewOf(beast::string_view text) { return {text.data(), text.size()}; }
absl::string_view AbslView(std::string_view text) { return {text.data(), text.size()}; }

bool IsHttpControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

std::string HttpDate() {
  return absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", absl::Now(), absl::UTCTimeZone());
}

template <class Body>
void Fill(http::response<Body>& response, const HttpAnswer& answer, const HttpForm& form) {
  response.version(form.is_1_1 ? kHttp11 : kHttp10);
  response.result(answer.code);
  if (answer.code == 499) response.reason("Client Closed Request");
  response.set(http::field::date, HttpDate());
  response.set(http::field::content_type, answer.type);
  // An answer is for who asked alone, and never a page.
  response.set(http::field::cache_control, "no-store");
  response.set("X-Content-Type-Options", "nosniff");
  for (const HttpField& field : answer.fields) response.set(field.name, field.value);
  response.keep_alive(form.keep_alive);
}

// The head, and the body too unless `only_head`.
template <class Body>
std::string Serialize(http::response<Body>& response, bool only_head) {
  http::response_serializer<Body> serializer(response);
  serializer.split(true);
  std::string text;
  ErrorCode error;
  while (!error && !serializer.is_done() && !(only_head && serializer.is_header_done())) {
    size_t size = 0;
    serializer.next(error, [&](ErrorCode&, const auto& buffers) {
      text += beast::buffers_to_string(buffers);
      size = beast::buffer_bytes(buffers);
    });
    if (!error) serializer.consume(size);
  }
  return text;
}

}  // namespace

bool HttpRequest::Has(std::string_view name) const {
  return std::any_of(fields.begin(), fields.end(),
                     [name](const HttpField& field) { return field.name == name; });
}

std::optional<std::string_view> HttpRequest::Only(std::string_view name) const {
  std::optional<std::string_view> found;
  for (const HttpField& field : fields) {
    if (field.name != name) continue;
    if (found) return std::nullopt;
    found = field.value;
  }
  return found;
}

struct HttpReader::Parts {
  Parts() {
    parser.header_limit(2 * kMostHead);  // of which less is given to it
    parser.body_limit(kMostBody);
    parser.eager(false);
  }
  // Takes what it can off the front of `buffer`.
  size_t Put(std::string_view buffer, ErrorCode& error) {
    return parser.put(boost::asio::buffer(buffer.data(), buffer.size()), error);
  }
  Parser parser;
};

HttpReader::HttpReader() : parts_(std::make_unique<Parts>()) {}
HttpReader::~HttpReader() = default;

void HttpReader::Feed(std::string_view bytes) { buffer_ += bytes; }

size_t HttpReader::held() const {
  return buffer_.size() + (parts_ ? parts_->parser.get().body().size() : 0) + request_.body.size();
}

void HttpReader::Drop() {
  parts_.reset();
  buffer_ = {};
  request_ = {};
}

absl::Status HttpReader::Fail(unsigned code, absl::Status why) {
  failure_code_ = code;
  return why;
}

absl::StatusOr<HttpReader::Step> HttpReader::Next() {
  switch (state_) {
    case State::kHead:
      return ReadHead();
    case State::kBody:
      return ReadBody();
    case State::kRequest:
      break;
  }
  return Step::kWantsBytes;
}

// Beast is given the head when it is whole: in pieces it would keep some of it to itself.
absl::StatusOr<HttpReader::Step> HttpReader::ReadHead() {
  const size_t end = buffer_.find(kHeadEnd, searched_);
  const size_t size = end == std::string::npos ? 0 : end + kHeadEnd.size();
  if (size > kMostHead || (size == 0 && buffer_.size() >= kMostHead)) {
    return Fail(431, absl::ResourceExhaustedError(
                         fmt::format("request head: more than {} bytes", kMostHead)));
  }
  if (size == 0) {
    searched_ = buffer_.size() - std::min(buffer_.size(), kHeadEnd.size() - 1);
    return Step::kWantsBytes;
  }
  ErrorCode error;
  const std::string head = buffer_.substr(0, size);
  const size_t taken = parts_->Put(head, error);
  if (error == http::error::body_limit) {
    return Fail(413, absl::ResourceExhaustedError(
                         fmt::format("request body: more than {} bytes", kMostBody)));
  }
  if (error) return Fail(400, absl::InvalidArgumentError("request: " + error.message()));
  // What is behind an end that Beast does not see would be another request to somebody else.
  if (taken != size) return Fail(400, absl::InvalidArgumentError("request: a head with two ends"));
  TakeHead();
  CULVERT_RETURN_IF_ERROR(CheckHead(head));
  buffer_.erase(0, size);
  searched_ = 0;
  state_ = State::kBody;
  return Step::kHead;
}

// Beast refuses a head with two lengths, or with a length and chunks, itself.
absl::Status HttpReader::CheckHead(std::string_view text) {
  const auto refuse = [this](unsigned code, const char* why) {
    return Fail(code, absl::InvalidArgumentError(fmt::format("request: {}", why)));
  };
  if (text.find("\n ") != std::string_view::npos || text.find("\n\t") != std::string_view::npos) {
    return refuse(400, "a field goes on in the next line");
  }
  for (const HttpField& field : request_.fields) {
    if (std::any_of(field.value.begin(), field.value.end(),
                    [](char c) { return IsHttpControl(c) && c != '\t'; })) {
      return refuse(400, "a field with control characters");
    }
  }
  if (request_.Has("transfer-encoding")) {
    const auto coding = request_.Only("transfer-encoding");
    if (!request_.is_1_1 || request_.Has("content-length")) {
      return refuse(400, "transfer-encoding has no place here");
    }
    if (!coding || !absl::EqualsIgnoreCase(AbslView(*coding), "chunked")) {
      return refuse(501, "transfer-encoding: chunked alone is known");
    }
  }
  const auto length = request_.Only("content-length");
  if (request_.Has("content-length") &&
      (!length || length->find_first_not_of("0123456789") != std::string_view::npos)) {
    return refuse(400, "content-length must be one number");
  }
  // A proxy may have chosen by the one, and we by the other.
  if (!request_.Only("host") && (request_.is_1_1 || request_.Has("host"))) {
    return refuse(400, "exactly one host field is needed");
  }
  return absl::OkStatus();
}

void HttpReader::TakeHead() {
  const auto& message = parts_->parser.get();
  request_ = {};
  request_.method = ViewOf(message.method_string());
  request_.target = ViewOf(message.target());
  request_.is_1_1 = message.version() >= kHttp11;
  request_.keep_alive = message.keep_alive();
  for (const auto& field : message) {
    request_.fields.push_back({absl::AsciiStrToLower(AbslView(ViewOf(field.name_string()))),
                               std::string(ViewOf(field.value()))});
  }
}

absl::StatusOr<HttpReader::Step> HttpReader::ReadBody() {
  ErrorCode error;
  // Of chunks there is always more than that to come, and with less Beast would fail an assertion.
  const size_t least = parts_->parser.chunked() ? kLeastOfChunks : 1;
  size_t read = 0;
  while (!parts_->parser.is_done() && buffer_.size() - read >= least && !error) {
    read += parts_->Put(std::string_view(buffer_).substr(read), error);
  }
  buffer_.erase(0, read);  // once, however many chunks there were
  moved_ += buffer_.size();
  body_read_ += read;
  if (error == http::error::body_limit || body_read_ > kMostBody + kMostFraming) {
    return Fail(413, absl::ResourceExhaustedError(
                         fmt::format("request body: more than {} bytes", kMostBody)));
  }
  if (error && error != http::error::need_more) {
    return Fail(400, absl::InvalidArgumentError("request body: " + error.message()));
  }
  if (parts_->parser.is_done()) {
    request_.body = std::move(parts_->parser.get().body());
    parts_.reset();
    state_ = State::kRequest;
    return Step::kRequest;
  }
  // The line before a chunk, or what follows the last one.
  if (buffer_.size() > kMostHead) {
    return Fail(431, absl::ResourceExhaustedError("request body: a chunk with too long a head"));
  }
  return Step::kWantsBytes;
}

HttpRequest HttpReader::Take() {
  parts_ = std::make_unique<Parts>();
  state_ = State::kHead;
  body_read_ = 0;
  return std::exchange(request_, {});
}

std::string WriteAnswer(HttpAnswer answer, const HttpForm& form) {
  http::response<http::string_body> response;
  Fill(response, answer, form);
  response.body() = std::move(answer.body);
  response.prepare_payload();
  return Serialize(response, form.without_body);
}

std::string WriteChunkedHead(const HttpAnswer& answer, const HttpForm& form) {
  http::response<http::empty_body> response;
  Fill(response, answer, form);
  if (form.is_1_1) response.chunked(true);
  return Serialize(response, true);
}

std::string WriteChunk(std::string_view bytes, const HttpForm& form) {
  if (!form.is_1_1) return std::string(bytes);
  return beast::buffers_to_string(
      http::make_chunk(boost::asio::const_buffer(bytes.data(), bytes.size())));
}

std::string WriteLastChunk(const HttpForm& form) {
  return form.is_1_1 ? beast::buffers_to_string(http::make_chunk_last()) : std::string();
}

std::string WriteUpgrade(const std::string& accept) {
  http::response<http::empty_body> response(http::status::switching_protocols, kHttp11);
  response.set(http::field::date, HttpDate());
  response.set(http::field::upgrade, "websocket");
  response.set(http::field::connection, "Upgrade");
  response.set(http::field::sec_websocket_accept, accept);
  return Serialize(response, true);
}

std::string WriteContinue() {
  http::response<http::empty_body> response(http::status::continue_, kHttp11);
  return Serialize(response, true);
}

}  // namespace culvert::web
