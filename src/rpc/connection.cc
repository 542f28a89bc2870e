#include "rpc/connection.h"

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include "rpc/client_stream.h"
#include "rpc/grpc_convert.h"
#include "rpc/limits.h"

namespace culvert::rpc {
namespace {

const char* MethodPath(Method method) {
  switch (method) {
    case Method::kConnect:
      return "/ntt.proxies.v1.BrokerService/Connect";
    case Method::kListen:
      return "/ntt.proxies.v1.BrokerService/Listen";
    case Method::kAccept:
      return "/ntt.proxies.v1.BrokerService/Accept";
    case Method::kAttach:
      return "/culvert.v1.Control/Attach";
    case Method::kEnroll:
      return "/culvert.v1.Identity/Enroll";
    case Method::kLogin:
      return "/culvert.v1.Identity/Login";
    case Method::kRenew:
      return "/culvert.v1.Identity/Renew";
    case Method::kWhoAmI:
      return "/culvert.v1.Identity/WhoAmI";
    case Method::kListAgents:
      return "/culvert.v1.Identity/ListAgents";
    case Method::kKeyRotations:
      return "/culvert.v1.Identity/KeyRotations";
    case Method::kRequestConnection:
      return "/culvert.v1.Control/RequestConnection";
    case Method::kGetProject:
      return "/ntt.proxies.v1.ProjectService/GetProject";
    case Method::kBatchGetProjects:
      return "/ntt.proxies.v1.ProjectService/BatchGetProjects";
    case Method::kListProjects:
      return "/ntt.proxies.v1.ProjectService/ListProjects";
    case Method::kWatchProjects:
      return "/ntt.proxies.v1.ProjectService/WatchProjects";
    case Method::kCreateProject:
      return "/ntt.proxies.v1.ProjectService/CreateProject";
    case Method::kUpdateProject:
      return "/ntt.proxies.v1.ProjectService/UpdateProject";
    case Method::kDeleteProject:
      return "/ntt.proxies.v1.ProjectService/DeleteProject";
  }
  return "";
}

grpc::ChannelArguments Arguments(const Credentials& credentials, int max_message_bytes) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kEndpointLookahead);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Our own backoff decides when to try again; gRPC's only must not be slower.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);  // is the time limit of one connect
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(max_message_bytes);
  if (credentials.secure()) arguments.SetSslTargetNameOverride(kBrokerName);
  return arguments;
}

}  // namespace

Connection::Connection(net::EventLoop& loop, const std::string& address,
                       const Credentials& credentials, int max_message_bytes)
    : loop_(loop),
      address_(address),
      credentials_(credentials),
      max_message_bytes_(max_message_bytes) {
  QuietLibraries();
  Reconnect();
}

Connection::~Connection() { SetOnWrite(nullptr); }

void Connection::SetCredentials(const Credentials& credentials) {
  credentials_ = credentials;
  Connect(address_);
}

void Connection::Reconnect(const std::string& address) {
  // What still runs over the old one is not heard any more.
  if (traffic_ != nullptr) traffic_->on_write = nullptr;
  traffic_ = std::make_shared<Traffic>();
  traffic_->on_write = on_write_;
  since_ = loop_.Now();
  ++generation_;
  Connect(address.empty() ? address_ : address);
}

void Connection::Connect(const std::string& address) {
  channel_ = grpc::CreateCustomChannel(address, credentials_.client(),
                                       Arguments(credentials_, max_message_bytes_));
}

void Connection::SetOnWrite(std::function<void()> on_write) {
  on_write_ = std::move(on_write);
  traffic_->on_write = on_write_;
}

Connection::State Connection::state() const {
  switch (channel_->GetState(/*try_to_connect=*/false)) {
    case GRPC_CHANNEL_IDLE:
    case GRPC_CHANNEL_SHUTDOWN:
      return State::kIdle;
    case GRPC_CHANNEL_CONNECTING:
      return State::kConnecting;
    case GRPC_CHANNEL_READY:
      return State::kReady;
    case GRPC_CHANNEL_TRANSIENT_FAILURE:
      return State::kFailed;
  }
  return State::kIdle;
}

std::unique_ptr<Stream> Connection::Start(Method method) {
  auto stream = StartClientStream(loop_, channel_, MethodPath(method), traffic_);
  if (on_write_) on_write_();
  return stream;
}

}  // namespace culvert::rpc
