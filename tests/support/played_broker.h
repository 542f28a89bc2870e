// A broker that the test plays: what the server's end of Listen and Connect says is up to it.
#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <functional>
#include <memory>
#include <string>

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

  explicit PlayedBroker(Listen listen) : PlayedBroker(std::move(listen), nullptr) {}
  explicit PlayedBroker(Connect connect) : PlayedBroker(nullptr, std::move(connect)) {}
  // Without `listen` or `connect` these are UNIMPLEMENTED. `more` is served too, and outlives this.
  PlayedBroker(Listen listen, Connect connect, grpc::Service* more = nullptr)
      : service_(std::move(listen), std::move(connect)) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    if (more != nullptr) builder.RegisterService(more);
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

  Service service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace culvert::test
