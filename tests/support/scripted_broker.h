// A broker whose streams the test thread speaks on, one by one: what it plays to a provider.
#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <string>

#include "ntt/proxies/v1/broker.grpc.pb.h"
#include "tests/support/catch.h"

namespace culvert::test {

// The server's end of one stream, for the test thread. It stays open until End, or until the broker
// is destroyed.
template <typename Request, typename Response>
class ScriptedCall {
 public:
  using Stream = grpc::ServerReaderWriter<Response, Request>;
  static constexpr std::chrono::seconds kLimit{10};

  ScriptedCall(grpc::ServerContext& context, Stream& stream) : context_(context), stream_(stream) {}

  // The next message, which must come.
  Request Next() {
    Request request;
    if (!Read(request)) FAIL("stream ended");
    return request;
  }
  // Whether the client ends the stream, after whatever it still says.
  bool WaitForEnd() {
    Request request;
    while (Read(request)) {
    }
    return true;
  }
  void Send(const Response& response) { stream_.Write(response); }
  void End(const grpc::Status& status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
    ended_ = true;
    changed_.notify_all();
  }

  // gRPC's thread, for as long as the stream lives.
  grpc::Status Serve() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_; });
    return status_;
  }

 private:
  bool Read(Request& request) {
    auto read = std::async(std::launch::async, [&] { return stream_.Read(&request); });
    if (read.wait_for(kLimit) != std::future_status::ready) {
      context_.TryCancel();
      read.wait();
      FAIL("nothing comes");
    }
    return read.get();
  }

  grpc::ServerContext& context_;
  Stream& stream_;
  std::mutex mutex_;
  std::condition_variable changed_;
  grpc::Status status_;
  bool ended_ = false;
};

class ScriptedBroker {
 public:
  using Listen = ScriptedCall<ntt::proxies::v1::ListenRequest, ntt::proxies::v1::ListenResponse>;
  using Accept = ScriptedCall<ntt::proxies::v1::AcceptRequest, ntt::proxies::v1::AcceptResponse>;

  // Port 0: the kernel chooses.
  explicit ScriptedBroker(int port = 0) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
  }
  // Every stream ends with UNAVAILABLE, as when the program dies.
  ~ScriptedBroker() {
    service_.listens.EndAll();
    service_.accepts.EndAll();
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }
  ScriptedBroker(const ScriptedBroker&) = delete;
  ScriptedBroker& operator=(const ScriptedBroker&) = delete;

  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // The next stream that a client begins; waits for it.
  std::shared_ptr<Listen> NextListen() { return service_.listens.Next(); }
  std::shared_ptr<Accept> NextAccept() { return service_.accepts.Next(); }
  // Whether there is one that was not asked for yet.
  bool HasAccept() { return service_.accepts.Has(); }

 private:
  template <typename Call>
  class Calls {
   public:
    grpc::Status Serve(grpc::ServerContext& context, typename Call::Stream& stream) {
      auto call = std::make_shared<Call>(context, stream);
      {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(call);
        all_.push_back(call);
      }
      changed_.notify_all();
      return call->Serve();
    }
    std::shared_ptr<Call> Next() {
      std::unique_lock lock(mutex_);
      REQUIRE(changed_.wait_for(lock, Call::kLimit, [this] { return !waiting_.empty(); }));
      auto call = waiting_.front();
      waiting_.pop_front();
      return call;
    }
    bool Has() {
      const std::lock_guard lock(mutex_);
      return !waiting_.empty();
    }
    void EndAll() {
      const std::lock_guard lock(mutex_);
      for (const auto& call : all_) call->End({grpc::StatusCode::UNAVAILABLE, "broker died"});
    }

   private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::shared_ptr<Call>> waiting_;
    std::deque<std::shared_ptr<Call>> all_;
  };

  struct Service final : ntt::proxies::v1::BrokerService::Service {
    Calls<ScriptedBroker::Listen> listens;
    Calls<ScriptedBroker::Accept> accepts;

    grpc::Status Listen(grpc::ServerContext* context,
                        ScriptedBroker::Listen::Stream* stream) override {
      return listens.Serve(*context, *stream);
    }
    grpc::Status Accept(grpc::ServerContext* context,
                        ScriptedBroker::Accept::Stream* stream) override {
      return accepts.Serve(*context, *stream);
    }
  };

  Service service_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace culvert::test
