// A broker that the test plays: what the server's end of Listen and Connect says is up to it.
#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <functional>
#include <memory>
#include <string>

#include "culvert/v1/control.grpc.pb.h"
#include "ntt/proxies/v1/broker.grpc.pb.h"
#include "tests/support/catch.h"

namespace culvert::test {

// The functions run on gRPC's threads, one per stream; the stream ends with the status that they
// return. Streams that are open when this is destroyed are cancelled.
class PlayedBroker {
 public:
  using ListenStream =
      grpc::ServerReaderWriter<ntt::proxies::v1::ListenResponse, ntt::proxies::v1::ListenRequest>;
  using Listen = std::function<grpc::Status(ListenStream&)>;

  using ConnectStream =
      grpc::ServerReaderWriter<ntt::proxies::v1::ConnectResponse, ntt::proxies::v1::ConnectRequest>;
  using Connect = std::function<grpc::Status(ConnectStream&)>;

  using AttachStream =
      grpc::ServerReaderWriter<culvert::v1::AttachResponse, culvert::v1::AttachRequest>;
  using Attach = std::function<grpc::Status(AttachStream&)>;

  explicit PlayedBroker(Listen listen) : PlayedBroker(std::move(listen), nullptr) {}
  explicit PlayedBroker(Connect connect) : PlayedBroker(nullptr, std::move(connect)) {}
  // Without one of the functions its call is UNIMPLEMENTED.
  PlayedBroker(Listen listen, Connect connect, Attach attach = nullptr)
      : service_(std::move(listen), std::move(connect)), control_(std::move(attach)) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    builder.RegisterService(&control_);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~PlayedBroker() {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }
  PlayedBroker(const PlayedBroker&) = delete;
  PlayedBroker& operator=(const PlayedBroker&) = delete;

  const std::string& address() const { return address_; }

  // Takes the registration and answers it.
  static void Register(ListenStream& stream) {
    ntt::proxies::v1::ListenRequest request;
    stream.Read(&request);
    ntt::proxies::v1::ListenResponse response;
    response.mutable_listening()->set_session_id(1);
    stream.Write(response);
  }
  static void Offer(ListenStream& stream, uint64_t channel_id, const std::string& service) {
    ntt::proxies::v1::ListenResponse response;
    response.mutable_open_channel_response()->set_channel_id(channel_id);
    response.mutable_open_channel_response()->set_service(service);
    stream.Write(response);
  }

 private:
  class Service final : public ntt::proxies::v1::BrokerService::Service {
   public:
    Service(PlayedBroker::Listen listen, PlayedBroker::Connect connect)
        : listen_(std::move(listen)), connect_(std::move(connect)) {}
    grpc::Status Listen(grpc::ServerContext*, ListenStream* stream) override {
      return listen_ ? listen_(*stream) : Unimplemented();
    }
    grpc::Status Connect(grpc::ServerContext*, ConnectStream* stream) override {
      return connect_ ? connect_(*stream) : Unimplemented();
    }

   private:
    static grpc::Status Unimplemented() { return {grpc::StatusCode::UNIMPLEMENTED, "not played"}; }

    const PlayedBroker::Listen listen_;
    const PlayedBroker::Connect connect_;
  };

  class Control final : public culvert::v1::Control::Service {
   public:
    explicit Control(PlayedBroker::Attach attach) : attach_(std::move(attach)) {}
    grpc::Status Attach(grpc::ServerContext*, AttachStream* stream) override {
      if (attach_) return attach_(*stream);
      return {grpc::StatusCode::UNIMPLEMENTED, "not played"};
    }

   private:
    const PlayedBroker::Attach attach_;
  };

  Service service_;
  Control control_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace culvert::test
