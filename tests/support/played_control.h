// A broker's culvert.v1.Control that the test plays.
#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <functional>
#include <memory>
#include <string>

#include "culvert/v1/control.grpc.pb.h"
#include "tests/support/catch.h"

namespace culvert::test {

// The function runs on gRPC's threads, one per stream; the stream ends with the status that it
// returns. Streams that are open when this is destroyed are cancelled.
class PlayedControl {
 public:
  using AttachStream =
      grpc::ServerReaderWriter<culvert::v1::AttachResponse, culvert::v1::AttachRequest>;
  using Attach = std::function<grpc::Status(AttachStream&)>;

  explicit PlayedControl(Attach attach, int port = 0) : service_(std::move(attach)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
    port_ = static_cast<uint16_t>(port);
  }
  ~PlayedControl() {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }
  PlayedControl(const PlayedControl&) = delete;
  PlayedControl& operator=(const PlayedControl&) = delete;

  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // Takes Hello and answers it.
  static bool Greet(AttachStream& stream, culvert::v1::AttachRequest* hello = nullptr) {
    culvert::v1::AttachRequest request;
    if (!stream.Read(&request) || !request.has_hello()) return false;
    if (hello != nullptr) *hello = request;
    culvert::v1::AttachResponse response;
    response.mutable_attached();
    return stream.Write(response);
  }
  static void Tell(AttachStream& stream, const culvert::v1::Notice& notice) {
    culvert::v1::AttachResponse response;
    *response.mutable_notice() = notice;
    stream.Write(response);
  }
  // Answers pings until the client goes.
  static void AnswerPings(AttachStream& stream) {
    culvert::v1::AttachRequest request;
    while (stream.Read(&request)) {
      culvert::v1::AttachResponse response;
      response.mutable_pong();
      if (request.has_ping()) stream.Write(response);
    }
  }

 private:
  class Service final : public culvert::v1::Control::Service {
   public:
    explicit Service(PlayedControl::Attach attach) : attach_(std::move(attach)) {}
    grpc::Status Attach(grpc::ServerContext*, AttachStream* stream) override {
      return attach_(*stream);
    }

   private:
    const PlayedControl::Attach attach_;
  };

  Service service_;
  std::unique_ptr<grpc::Server> server_;
  uint16_t port_ = 0;
};

}  // namespace culvert::test
