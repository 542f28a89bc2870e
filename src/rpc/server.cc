#include "rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <initializer_list>
#include <utility>

#include "base/check.h"
#include "ntt/proxies/v1/broker.grpc.pb.h"
#include "ntt/proxies/v1alpha2/broker.grpc.pb.h"
#include "rpc/grpc_convert.h"
#include "rpc/limits.h"
#include "rpc/server_stream.h"

namespace culvert::rpc {
namespace {

// Where the services hand their streams over.
class StreamSink {
 public:
  StreamSink(net::EventLoop& loop, Server::OnStream on_stream, Duration linger)
      : loop_(loop), on_stream_(std::move(on_stream)), linger_(linger) {}

  // gRPC's threads.
  ServerReactor* Accept(grpc::CallbackServerContext* context, StreamInfo::Version version,
                        StreamInfo::Method method, const std::string& path = {}) {
    StreamInfo info = DescribeStream(*context, version, method);
    info.path = path.substr(0, StreamInfo::kMaxPathBytes);
    return AcceptServerStream(loop_, *context, linger_,
                              [this, info = std::move(info)](std::unique_ptr<Stream> stream) {
                                on_stream_(info, std::move(stream));
                              });
  }

 private:
  net::EventLoop& loop_;
  Server::OnStream on_stream_;
  const Duration linger_;
};

// Culvert's own stream, and the unary calls, each as one more stream of the broker, so that all
// limits of streams hold for it: on the wire a unary call is a stream with one message each way. Of
// gRPC's health service Watch, of which gRPC's own would keep any number, is UNIMPLEMENTED: probes
// use Check, and gRPC's clients take a server without Watch for healthy.
class RawCalls final : public grpc::Service {
 public:
  struct Call {
    const char* path;
    StreamInfo::Method method;
  };

  RawCalls(StreamSink& sink, StreamInfo::Version version, std::initializer_list<Call> calls) {
    for (const Call& call : calls) Add(sink, version, call);
  }

 private:
  void Add(StreamSink& sink, StreamInfo::Version version, const Call& call) {
    AddMethod(new grpc::internal::RpcServiceMethod(
        call.path, grpc::internal::RpcMethod::BIDI_STREAMING, nullptr));
    MarkMethodRawCallback(
        added_++, new grpc::internal::CallbackBidiHandler<grpc::ByteBuffer, grpc::ByteBuffer>(
                      [&sink, version, method = call.method](grpc::CallbackServerContext* context) {
                        return sink.Accept(context, version, method);
                      }));
  }

  int added_ = 0;
};

// One grpc::Service for each service, because reflection lists one by each.
struct OwnServices {
  using Method = StreamInfo::Method;
  using Version = StreamInfo::Version;

  explicit OwnServices(StreamSink& sink)
      : control(sink, Version::kV1,
                {{"/culvert.v1.Control/Attach", Method::kAttach},
                 {"/culvert.v1.Control/RequestConnection", Method::kRequestConnection}}),
        identity(sink, Version::kV1,
                 {{"/culvert.v1.Identity/Enroll", Method::kEnroll},
                  {"/culvert.v1.Identity/Login", Method::kLogin},
                  {"/culvert.v1.Identity/Renew", Method::kRenew},
                  {"/culvert.v1.Identity/WhoAmI", Method::kWhoAmI},
                  {"/culvert.v1.Identity/ListAgents", Method::kListAgents},
                  {"/culvert.v1.Identity/KeyRotations", Method::kKeyRotations}}),
        health(sink, Version::kV1, {{"/grpc.health.v1.Health/Check", Method::kHealthCheck}}),
        projects_v1(sink, Version::kV1,
                    {{"/ntt.proxies.v1.ProjectService/GetProject", Method::kGetProject},
                     {"/ntt.proxies.v1.ProjectService/BatchGetProjects", Method::kBatchGetProjects},
                     {"/ntt.proxies.v1.ProjectService/ListProjects", Method::kListProjects},
                     {"/ntt.proxies.v1.ProjectService/WatchProject", Method::kWatchProject},
                     {"/ntt.proxies.v1.ProjectService/WatchProjects", Method::kWatchProjects},
                     {"/ntt.proxies.v1.ProjectService/CreateProject", Method::kCreateProject},
                     {"/ntt.proxies.v1.ProjectService/UpdateProject", Method::kUpdateProject},
                     {"/ntt.proxies.v1.ProjectService/DeleteProject", Method::kDeleteProject}}),
        projects_v1alpha2(
            sink, Version::kV1Alpha2,
            {{"/ntt.proxies.v1alpha2.ProjectService/GetProject", Method::kGetProject},
             {"/ntt.proxies.v1alpha2.ProjectService/BatchGetProjects", Method::kBatchGetProjects},
             {"/ntt.proxies.v1alpha2.ProjectService/ListProjects", Method::kListProjects},
             {"/ntt.proxies.v1alpha2.ProjectService/WatchProject", Method::kWatchProject},
             {"/ntt.proxies.v1alpha2.ProjectService/WatchProjects", Method::kWatchProjects},
             {"/ntt.proxies.v1alpha2.ProjectService/CreateProject", Method::kCreateProject},
             {"/ntt.proxies.v1alpha2.ProjectService/UpdateProject", Method::kUpdateProject},
             {"/ntt.proxies.v1alpha2.ProjectService/DeleteProject", Method::kDeleteProject}}) {}

  void RegisterIn(grpc::ServerBuilder& builder) {
    for (RawCalls* calls : {&control, &identity, &health, &projects_v1, &projects_v1alpha2}) {
      builder.RegisterService(calls);
    }
  }

  RawCalls control;
  RawCalls identity;
  RawCalls health;
  RawCalls projects_v1;
  RawCalls projects_v1alpha2;
};

// The generated service of one version with all three methods taken as serialized messages: the
// relay passes payloads on without parsing them, and reflection still knows the service.
template <typename Generated, StreamInfo::Version kVersion>
class RawService final : public Generated::template WithRawCallbackMethod_Connect<
                             typename Generated::template WithRawCallbackMethod_Listen<
                                 typename Generated::template WithRawCallbackMethod_Accept<
                                     typename Generated::Service>>> {
 public:
  explicit RawService(StreamSink& sink) : sink_(sink) {}

  ServerReactor* Connect(grpc::CallbackServerContext* context) override {
    return sink_.Accept(context, kVersion, StreamInfo::Method::kConnect);
  }
  ServerReactor* Listen(grpc::CallbackServerContext* context) override {
    return sink_.Accept(context, kVersion, StreamInfo::Method::kListen);
  }
  ServerReactor* Accept(grpc::CallbackServerContext* context) override {
    return sink_.Accept(context, kVersion, StreamInfo::Method::kAccept);
  }

 private:
  StreamSink& sink_;
};

// Whatever else a client calls. gRPC would refuse it by itself, and nobody would hear of it.
class UnknownCalls final : public grpc::CallbackGenericService {
 public:
  explicit UnknownCalls(StreamSink& sink) : sink_(sink) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    return sink_.Accept(context, StreamInfo::Version::kV1, StreamInfo::Method::kUnknown,
                        context->method());
  }

 private:
  StreamSink& sink_;
};

void AddArguments(grpc::ServerBuilder& builder, const ServerOptions& options) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kBrokerLookahead);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.streams_per_connection);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
}

// Only reflection is served by threads, one for each stream of it.
void AddQuota(grpc::ServerBuilder& builder, const ServerOptions& options) {
  grpc::ResourceQuota quota("broker");
  quota.Resize(options.memory);
  quota.SetMaxThreads(kMaxServingThreads);
  builder.SetResourceQuota(quota);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
}

}  // namespace

struct Server::Parts {
  Parts(net::EventLoop& loop, OnStream on_stream, const ServerOptions& options)
      : sink(loop, std::move(on_stream), options.linger),
        v1(sink),
        v1alpha2(sink),
        own(sink),
        unknown(sink) {}

  StreamSink sink;
  RawService<ntt::proxies::v1::BrokerService, StreamInfo::Version::kV1> v1;
  RawService<ntt::proxies::v1alpha2::BrokerService, StreamInfo::Version::kV1Alpha2> v1alpha2;
  OwnServices own;
  UnknownCalls unknown;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
  std::unique_ptr<grpc::Server> server;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(net::EventLoop& loop,
                                                      const Credentials& credentials,
                                                      OnStream on_stream,
                                                      const ServerOptions& options) {
  QuietLibraries();
  auto parts = std::make_unique<Parts>(loop, std::move(on_stream), options);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  AddArguments(builder, options);
  AddQuota(builder, options);
  builder.RegisterService(&parts->v1);
  builder.RegisterService(&parts->v1alpha2);
  parts->own.RegisterIn(builder);
  builder.RegisterCallbackGenericService(&parts->unknown);
  parts->acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      credentials.server());
  parts->server = builder.BuildAndStart();
  if (parts->server == nullptr) return absl::InternalError("gRPC server does not start");
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() = default;

void Server::Adopt(int fd) {
  // gRPC sets this on the sockets that it accepts itself, not on those that it is given; without it
  // every small message waits for the peer's delayed ACK (40 ms).
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.listener_fd = -1;
  parameters.fd = fd;
  parts_->acceptor->HandleNewConnection(&parameters);
}

void Server::Shutdown(Duration grace) {
  parts_->server->Shutdown(std::chrono::system_clock::now() +
                           std::chrono::duration_cast<std::chrono::system_clock::duration>(grace));
  parts_->server->Wait();
}

}  // namespace culvert::rpc
