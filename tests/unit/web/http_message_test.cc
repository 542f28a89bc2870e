#include "web/http_message.h"

#include "base/status.h"
#include "tests/support/catch.h"

namespace culvert::web {
namespace {

using Step = HttpReader::Step;

// The first request in `text`, fed in pieces of `piece`; the code of the failure as a message.
absl::StatusOr<HttpRequest> ReadAll(std::string_view text, size_t piece) {
  HttpReader reader;
  bool had_head = false;
  for (size_t start = 0; start < text.size(); start += piece) {
    reader.Feed(text.substr(start, piece));
    while (true) {
      const absl::StatusOr<Step> step = reader.Next();
      if (!step.ok()) return absl::UnknownError(fmt::format("{}", reader.failure_code()));
      if (*step == Step::kWantsBytes) break;
      if (*step == Step::kRequest) {
        CHECK(had_head);
        return reader.Take();
      }
      had_head = true;
    }
  }
  return absl::UnavailableError("more");
}

std::string Outcome(std::string_view text, size_t piece) {
  const auto request = ReadAll(text, piece);
  return request.ok() ? request->body : std::string(MessageOf(request.status()));
}

TEST_CASE("HttpReader reads a request however it is cut", "[web]") {
  const size_t piece = GENERATE(size_t{1}, size_t{7}, size_t{1000});
  const auto request = ReadAll(
      "PUT /v1/projects/lab?x=%20 HTTP/1.1\r\nHost: a:1\r\nX-Y:  z \r\nx-y: 2\r\n"
      "Transfer-Encoding: Chunked\r\n\r\n3;e=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n",
      piece);
  REQUIRE(request.ok());
  CHECK(request->method == "PUT");
  CHECK(request->target == "/v1/projects/lab?x=%20");
  CHECK(request->is_1_1);
  CHECK(request->keep_alive);
  CHECK(request->body == "abcde");
  CHECK(request->Only("host") == "a:1");
  CHECK(request->Has("x-y"));
  CHECK(request->Only("x-y") == std::nullopt);
  CHECK(request->Only("none") == std::nullopt);
}

TEST_CASE("HttpReader reads requests one after the other", "[web]") {
  HttpReader reader;
  reader.Feed(
      "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nabGET /b HTTP/1.0\r\n\r\nGE");
  CHECK(*reader.Next() == Step::kHead);
  CHECK(reader.request().target == "/a");
  CHECK(*reader.Next() == Step::kRequest);
  CHECK(*reader.Next() == Step::kWantsBytes);
  CHECK(reader.Take().body == "ab");
  CHECK(*reader.Next() == Step::kHead);
  CHECK(*reader.Next() == Step::kRequest);
  const HttpRequest second = reader.Take();
  CHECK(second.target == "/b");
  CHECK_FALSE(second.is_1_1);
  CHECK_FALSE(second.keep_alive);
  CHECK(*reader.Next() == Step::kWantsBytes);
  CHECK(reader.has_begun());
  CHECK(reader.held() == 2);
}

TEST_CASE("HttpReader refuses what has two readings", "[web]") {
  const size_t piece = GENERATE(size_t{3}, size_t{10'000});
  auto [head, code] = GENERATE(table<std::string, std::string>({
      {"Host: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n", "400"},
      {"Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n", "400"},
      {"Host: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n", "400"},
      {"Host: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n", "400"},
      {"Host: x\r\nContent-Length: 2, 2\r\n", "400"},
      {"Host: x\r\nContent-Length: +2\r\n", "400"},
      {"Host: x\r\nContent-Length: -1\r\n", "400"},
      {"Host: x\r\nContent-Length: 0x2\r\n", "400"},
      {"Host: x\r\nContent-Length: 99999999999999999999\r\n", "400"},
      {"Host: x\r\nTransfer-Encoding: gzip\r\n", "501"},
      {"Host: x\r\nTransfer-Encoding: xchunked\r\n", "501"},
      {"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n", "501"},
      {"Host: x\r\nTransfer-Encoding: chunked, chunked\r\n", "501"},
      {"Host: x\r\nTransfer-Encoding : chunked\r\n", "400"},
      {"Host: x\r\n Transfer-Encoding: chunked\r\n", "400"},
      {"Host: x\r\nX: a\r\n b\r\n", "400"},
      {"Host: x\nContent-Length: 2\r\n", "400"},
      {"Host: x\r\nX: \x01\r\n", "400"},
      {"Host: x\r\nHost: x\r\n", "400"},
      {"X: y\r\n", "400"},
  }));
  CAPTURE(head);
  CHECK(Outcome("POST / HTTP/1.1\r\n" + head + "\r\n{}", piece) == code);
}

TEST_CASE("HttpReader refuses request lines that are none", "[web]") {
  for (const char* line :
       {"GET  / HTTP/1.1", "GET / HTTP/1.1 ", "GET /", "GET / HTTP/2.0", "GET / http/1.1",
        "GET /\x01 HTTP/1.1", "G\x01T / HTTP/1.1", "\x16\x03\x01\x02", "\r\nGET / HTTP/1.1"}) {
    CAPTURE(line);
    CHECK(Outcome(std::string(line) + "\r\nHost: x\r\n\r\n", 1000) == "400");
  }
  CHECK(Outcome("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1000) == "400");
}

TEST_CASE("HttpReader takes a head and a body up to their limits", "[web]") {
  const size_t piece = GENERATE(size_t{1000}, size_t{65'536});
  const std::string start = "GET / HTTP/1.1\r\nHost: x\r\nX: ";
  const auto head = [&](size_t size) {
    return start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n";
  };
  CHECK(Outcome(head(HttpReader::kMostHead), piece).empty());
  CHECK(Outcome(head(HttpReader::kMostHead + 1), piece) == "431");
  CHECK(Outcome(start + std::string(20'000, 'x'), piece) == "431");

  const std::string body(HttpReader::kMostBody, 'x');
  const auto post = [](size_t size) {
    return fmt::format("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", size);
  };
  CHECK(Outcome(post(body.size()) + body, piece) == body);
  CHECK(Outcome(post(body.size() + 1), piece) == "413");
  const std::string chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(Outcome(chunked + "100001\r\n" + body + "x\r\n0\r\n\r\n", piece) == "413");
  CHECK(Outcome(chunked + "ffffffffffffffff1\r\n", piece) == "400");
  CHECK(Outcome(chunked + "1;" + std::string(20'000, 'x'), piece) == "431");
  CHECK(Outcome(chunked + "0\r\nX: " + std::string(20'000, 'x'), piece) == "431");
}

TEST_CASE("HttpReader reads a body of small chunks once", "[web]") {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  constexpr size_t kPiece = size_t{64} * 1024;
  constexpr size_t kChunks = 150'000;
  std::string all = head;
  for (size_t i = 0; i < kChunks; ++i) all += "1\r\nx\r\n";
  all += "0\r\n\r\n";
  HttpReader reader;
  std::optional<HttpReader::Step> last;
  for (size_t start = 0; start < all.size(); start += kPiece) {
    reader.Feed(std::string_view(all).substr(start, kPiece));
    for (;;) {
      const auto step = reader.Next();
      REQUIRE(step.ok());
      if (*step == HttpReader::Step::kWantsBytes) break;
      last = *step;
    }
  }
  CHECK(last == HttpReader::Step::kRequest);
  // The end of each piece, which is a part of a chunk.
  CHECK(reader.moved() < 1000);
  CHECK(reader.Take().body == std::string(kChunks, 'x'));
}

TEST_CASE("HttpReader bounds what a body is on the wire", "[web]") {
  std::string body;
  while (body.size() <= HttpReader::kMostBody + HttpReader::kMostFraming) body += "1\r\nx\r\n";
  CHECK(Outcome("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body,
                65'536) == "413");
}

TEST_CASE("Answers are written with their length or in chunks", "[web]") {
  HttpAnswer answer;
  answer.body = "{}";
  answer.fields = {{"Allow", "GET"}};
  const std::string whole = WriteAnswer(answer, {});
  CHECK(whole.rfind("HTTP/1.1 200 OK\r\n", 0) == 0);
  CHECK(whole.find("\r\nContent-Length: 2\r\n") != std::string::npos);
  CHECK(whole.find("\r\nAllow: GET\r\n") != std::string::npos);
  CHECK(whole.substr(whole.size() - 6) == "\r\n\r\n{}");
  CHECK(whole.find("Connection") == std::string::npos);
  const std::string of_head = WriteAnswer(answer, {true, false, true});
  CHECK(of_head.find("\r\nContent-Length: 2\r\n") != std::string::npos);
  CHECK(of_head.find("\r\nConnection: close\r\n") != std::string::npos);
  CHECK(of_head.substr(of_head.size() - 4) == "\r\n\r\n");

  CHECK(WriteChunkedHead(answer, {}).find("\r\nTransfer-Encoding: chunked\r\n") !=
        std::string::npos);
  CHECK(WriteChunk("0123456789", {}) == "a\r\n0123456789\r\n");
  CHECK(WriteLastChunk({}) == "0\r\n\r\n");
  const HttpForm old{false, false, false};
  CHECK(WriteChunkedHead(answer, old).find("chunked") == std::string::npos);
  CHECK(WriteChunk("ab", old) + WriteLastChunk(old) == "ab");
  CHECK(WriteContinue() == "HTTP/1.1 100 Continue\r\n\r\n");
}

}  // namespace
}  // namespace culvert::web
