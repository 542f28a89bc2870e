// A client made from the generated stubs, driven by hand: it says exactly what a test tells it to.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "ntt/proxies/v1/broker.grpc.pb.h"
#include "ntt/proxies/v1alpha2/broker.grpc.pb.h"
#include "tests/support/catch.h"
#include "tunnel/message.h"

namespace culvert::test {

// One stream. Blocks, and gives up after a time that no test needs. For the test thread.
template <typename Request, typename Response>
class RawCall {
 public:
  using Stream = grpc::ClientReaderWriterInterface<Request, Response>;
  static constexpr std::chrono::seconds kLimit{20};

  template <typename Start>
  explicit RawCall(Start start) : context_(std::make_unique<grpc::ClientContext>()) {
    context_->set_deadline(std::chrono::system_clock::now() + kLimit);
    stream_ = start(context_.get());
  }

  bool Send(const Request& request) { return stream_->Write(request); }
  std::optional<Response> Read() {
    Response response;
    if (!stream_->Read(&response)) return std::nullopt;
    return response;
  }
  // The next message, which must come.
  Response Next() {
    std::optional<Response> response = Read();
    if (!response) FAIL("stream ended: " + stream_->Finish().error_message());
    return *std::move(response);
  }
  void FinishWriting() { stream_->WritesDone(); }
  // Waits for the end; drops messages that come before it.
  grpc::Status End() {
    while (Read()) {
    }
    return stream_->Finish();
  }
  void Cancel() { context_->TryCancel(); }

 private:
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<Stream> stream_;
};

struct V1 {
  using Service = ntt::proxies::v1::BrokerService;
  using ConnectRequest = ntt::proxies::v1::ConnectRequest;
  using ConnectResponse = ntt::proxies::v1::ConnectResponse;
  using ListenRequest = ntt::proxies::v1::ListenRequest;
  using ListenResponse = ntt::proxies::v1::ListenResponse;
  using AcceptRequest = ntt::proxies::v1::AcceptRequest;
  using AcceptResponse = ntt::proxies::v1::AcceptResponse;
};

struct V1Alpha2 {
  using Service = ntt::proxies::v1alpha2::BrokerService;
  using ConnectRequest = ntt::proxies::v1alpha2::ConnectRequest;
  using ConnectResponse = ntt::proxies::v1alpha2::ConnectResponse;
  using ListenRequest = ntt::proxies::v1alpha2::ListenRequest;
  using ListenResponse = ntt::proxies::v1alpha2::ListenResponse;
  using AcceptRequest = ntt::proxies::v1alpha2::AcceptRequest;
  using AcceptResponse = ntt::proxies::v1alpha2::AcceptResponse;
};

inline constexpr char kProject[] = "projects/default";
inline constexpr uint64_t kLegacy = 0;
inline constexpr uint64_t kCapable = tunnel::kOwnCapabilities;
inline constexpr uint64_t kWindow = 256 * 1024;

// Has a connection of its own.
template <typename Version>
class RawClient {
 public:
  using ConnectCall = RawCall<typename Version::ConnectRequest, typename Version::ConnectResponse>;
  using ListenCall = RawCall<typename Version::ListenRequest, typename Version::ListenResponse>;
  using AcceptCall = RawCall<typename Version::AcceptRequest, typename Version::AcceptResponse>;

  explicit RawClient(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // reads 64 KiB ahead, not several MiB
    arguments.SetMaxReceiveMessageSize(-1);
    stub_ = Version::Service::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  }
  explicit RawClient(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(Version::Service::NewStub(channel)) {}

  ConnectCall Connect() {
    return ConnectCall(
        [this](grpc::ClientContext* context) { return stub_->Connect(Authorize(context)); });
  }
  ListenCall Listen() {
    return ListenCall(
        [this](grpc::ClientContext* context) { return stub_->Listen(Authorize(context)); });
  }
  AcceptCall Accept() {
    return AcceptCall(
        [this](grpc::ClientContext* context) { return stub_->Accept(Authorize(context)); });
  }

  // --- openings as most tests want them ---

  static typename Version::ConnectRequest OpenRequest(const std::string& provider, uint64_t caps) {
    typename Version::ConnectRequest request;
    auto& open = *request.mutable_open_request();
    open.set_project(kProject);
    open.set_name("a-consumer");
    open.set_provider_name(provider);
    open.set_service("echo");
    open.set_caps(caps);
    if (caps != 0) open.set_window(kWindow);
    return request;
  }
  static typename Version::ListenRequest ListenRequest(const std::string& name, uint64_t caps) {
    typename Version::ListenRequest request;
    auto& open = *request.mutable_open_request();
    open.set_project(kProject);
    open.set_name(name);
    open.set_caps(caps);
    return request;
  }
  static typename Version::AcceptRequest AcceptRequest(const std::string& name, uint64_t session,
                                                       uint64_t channel, uint64_t caps) {
    typename Version::AcceptRequest request;
    auto& open = *request.mutable_open_request();
    open.set_project(kProject);
    open.set_name(name);
    open.set_session_id(session);
    open.set_channel_id(channel);
    open.set_caps(caps);
    if (caps != 0) open.set_window(kWindow);
    return request;
  }

  ConnectCall Open(const std::string& provider, uint64_t caps) {
    ConnectCall call = Connect();
    call.Send(OpenRequest(provider, caps));
    return call;
  }

  // Metadata of that name, if it is not empty.
  std::string authorization;

 private:
  grpc::ClientContext* Authorize(grpc::ClientContext* context) const {
    if (!authorization.empty()) context->AddMetadata("authorization", authorization);
    return context;
  }

  std::unique_ptr<typename Version::Service::Stub> stub_;
};

// A provider that is registered.
template <typename Version>
struct RawProvider {
  RawClient<Version>& client;
  std::string name;
  uint64_t caps;
  typename RawClient<Version>::ListenCall listen;
  typename Version::ListenResponse listening;

  RawProvider(RawClient<Version>& on, const std::string& as, uint64_t capabilities)
      : client(on), name(as), caps(capabilities), listen(on.Listen()) {
    listen.Send(RawClient<Version>::ListenRequest(name, caps));
    listening = listen.Next();
    REQUIRE(listening.has_listening());
  }

  uint64_t session() const { return listening.listening().session_id(); }

  // Waits for an offer.
  auto Offer() {
    typename Version::ListenResponse response = listen.Next();
    REQUIRE(response.has_open_channel_response());
    return response.open_channel_response();
  }

  // Accepts a channel without waiting for anything.
  typename RawClient<Version>::AcceptCall Accept(uint64_t channel) {
    typename RawClient<Version>::AcceptCall call = client.Accept();
    call.Send(RawClient<Version>::AcceptRequest(name, session(), channel, caps));
    return call;
  }
};

}  // namespace culvert::test
