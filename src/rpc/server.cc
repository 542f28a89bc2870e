#include "rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

#include "base/check.h"
#include "ntt/proxies/v1/broker.grpc.pb.h"
#include "ntt/proxies/v1alpha2/broker.grpc.pb.h"
#include "rpc/limits.h"
#include "rpc/server_stream.h"

namespace culvert::rpc {
namespace {

// "ipv4:127.0.0.1:40022" and "ipv6:%5B::1%5D:40022" as gRPC writes them, to the address alone.
std::string PeerAddress(const std::string& peer) {
  const size_t kind = peer.find(':');
  const size_t port = peer.rfind(':');
  if (kind == std::string::npos || port <= kind) return "unknown";
  std::string address = peer.substr(kind + 1, port - kind - 1);
  for (const char* bracket : {"%5B", "%5D", "[", "]"}) {
    const size_t at = address.find(bracket);
    if (at != std::string::npos) address.erase(at, std::string(bracket).size());
  }
  return address;
}

// Where the services hand their streams over.
class StreamSink {
 public:
  StreamSink(net::EventLoop& loop, Server::OnStream on_stream)
      : loop_(loop), on_stream_(std::move(on_stream)) {}

  // gRPC's threads.
  ServerReactor* Accept(grpc::CallbackServerContext* context, StreamInfo::Version version,
                        StreamInfo::Method method) {
    StreamInfo info{version, method, PeerAddress(context->peer())};
    return AcceptServerStream(loop_,
                              [this, info = std::move(info)](std::unique_ptr<Stream> stream) {
                                on_stream_(info, std::move(stream));
                              });
  }

 private:
  net::EventLoop& loop_;
  Server::OnStream on_stream_;
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

void AddArguments(grpc::ServerBuilder& builder) {
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
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
}

}  // namespace

struct Server::Parts {
  Parts(net::EventLoop& loop, OnStream on_stream)
      : sink(loop, std::move(on_stream)), v1(sink), v1alpha2(sink) {}

  StreamSink sink;
  RawService<ntt::proxies::v1::BrokerService, StreamInfo::Version::kV1> v1;
  RawService<ntt::proxies::v1alpha2::BrokerService, StreamInfo::Version::kV1Alpha2> v1alpha2;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
  std::unique_ptr<grpc::Server> server;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(net::EventLoop& loop,
                                                      const Credentials& credentials,
                                                      OnStream on_stream) {
  auto parts = std::make_unique<Parts>(loop, std::move(on_stream));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  AddArguments(builder);
  builder.RegisterService(&parts->v1);
  builder.RegisterService(&parts->v1alpha2);
  parts->acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      credentials.ForServer());
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
