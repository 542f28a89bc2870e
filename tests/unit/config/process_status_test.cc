#include "config/process_status.h"

#include "tests/support/catch.h"

namespace culvert::config {
namespace {

using namespace std::chrono_literals;

ProcessStatus Example() {
  ProcessStatus status;
  status.program = "culvert";
  status.command = "forward";
  status.pid = 7;
  status.version = "1";
  status.age = 61s;
  status.name = "alice";
  status.project = "projects/p";
  status.broker = "b:7400";
  status.broker_since = 1500ms;
  status.memory_used = 1536;
  status.memory_limit = 1 << 20;
  return status;
}

ChannelStatus Channel(uint64_t id, Duration age) {
  ChannelStatus channel;
  channel.channel_id = id;
  channel.peer = "edge-1";
  channel.service = "tcp";
  channel.arg = "127.0.0.1:22";
  channel.age = age;
  return channel;
}

TEST_CASE("Status of a process without channels as JSON", "[process_status]") {
  CHECK(StatusJson(Example()) ==
        R"({"program":"culvert","command":"forward","state":"running","pid":7,"version":"1",)"
        R"("age_ms":61000,"name":"alice","project":"projects/p",)"
        R"("broker":{"address":"b:7400","reached":null,"since_ms":1500},)"
        R"("memory":{"used":1536,"limit":1048576},"channels":[]})");
}

TEST_CASE("Status shows the oldest channel first, and what is not known as null",
          "[process_status]") {
  ProcessStatus status = Example();
  status.is_agent = true;
  status.broker_reached = false;
  status.channels = {Channel(0xab, 1s), Channel(0xcd, 2s)};
  status.channels[0].suspended = 12'345ms;
  status.channels[0].resumes = 2;
  status.channels[1].round_trip = 1'234'567ns;
  status.channels[1].unacknowledged = 9;
  const std::string json = StatusJson(status);
  CHECK(json.find(R"("reached":false)") != std::string::npos);
  CHECK(json.find(R"("session":null)") != std::string::npos);
  CHECK(json.find(R"({"id":"cd","peer":"edge-1","service":"tcp","target":"127.0.0.1:22",)"
                  R"("encrypted":false,"path":"stream","suspended_ms":null,)"
                  R"("resumes":0,"round_trip_ms":1.234,)"
                  R"("send_window":0,"receive_window":0,"unacknowledged":9,"sent":0,)"
                  R"("received":0,"age_ms":2000},{"id":"ab",)") != std::string::npos);
  CHECK(json.find(R"("path":"suspended","suspended_ms":12345,"resumes":2)") != std::string::npos);
  const auto text = StatusText(json);
  REQUIRE(text.ok());
  CHECK(text->find("suspended 12.3s") != std::string::npos);
  CHECK(text->find("culvert forward (pid 7, version 1): running for 1m01s") == 0);
  CHECK(text->find("broker b:7400: not reached for 1.5s") != std::string::npos);
  CHECK(text->find("memory 1.5 KiB of 1.0 MiB") != std::string::npos);
}

TEST_CASE("Status tells what carries a channel", "[process_status]") {
  ProcessStatus status = Example();
  status.channels = {Channel(1, 3s), Channel(2, 2s), Channel(3, 1s)};
  for (ChannelStatus& channel : status.channels) channel.encrypted = true;
  status.channels[1].stitched = true;
  status.channels[2].stitched = true;
  status.channels[2].suspended = 1s;
  const std::string json = StatusJson(status);
  const size_t stream = json.find(R"("path":"stream")");
  const size_t stitched = json.find(R"("path":"stitched","suspended_ms":null)");
  const size_t suspended = json.find(R"("path":"suspended","suspended_ms":1000)");
  CHECK(stream < stitched);
  CHECK(stitched < suspended);
  CHECK(suspended != std::string::npos);
  const auto text = StatusText(json);
  REQUIRE(text.ok());
  CHECK(text->find(" stitched ") != std::string::npos);
}

TEST_CASE("Status tells which channels the broker can read", "[process_status]") {
  ProcessStatus status = Example();
  status.channels = {Channel(1, 3s), Channel(2, 2s)};
  status.channels[0].encrypted = true;
  status.channels[1].stitched = true;
  const std::string json = StatusJson(status);
  CHECK(json.find(R"("encrypted":true,"path":"stream")") != std::string::npos);
  CHECK(json.find(R"("encrypted":false,"path":"stitched")") != std::string::npos);
  const auto text = StatusText(json);
  REQUIRE(text.ok());
  CHECK(text->find("stream, clear") == std::string::npos);
  CHECK(text->find("stitched, clear") != std::string::npos);
}

TEST_CASE("Status of a process is shown whatever it says", "[process_status]") {
  for (const char* other : {"{}", R"({"channels":[1,null,{"id":7}],"broker":[],"memory":"much"})",
                            R"({"program":{},"pid":"x","broker":{"reached":3}})"}) {
    CHECK(StatusText(other).ok());
    CHECK(StatusLine(other).ok());
  }
  for (const char* other : {"", "[]", "7", "{", "\xff"}) {
    CHECK(absl::IsInvalidArgument(StatusText(other).status()));
    CHECK(absl::IsInvalidArgument(StatusLine(other).status()));
  }
  CHECK(StatusText("{\"name\":\"\\u001b[2J\"}")->find('\x1b') == std::string::npos);
  CHECK(StatusLine("{\"name\":\"\\u009b2J\"}")->find("\xc2") == std::string::npos);
}

}  // namespace
}  // namespace culvert::config
