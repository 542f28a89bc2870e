// One connection of the web port: reads requests, and makes calls of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "net/byte_stream.h"
#include "net/timer.h"
#include "net/worker_queue.h"
#include "rpc/stream.h"
#include "rpc/stream_info.h"
#include "web/budget.h"
#include "web/http_call.h"
#include "web/http_message.h"
#include "web/route.h"
#include "web/socket_call.h"
#include "web/tls_stream.h"

namespace culvert::web {

// What all connections share. Outlives them.
struct WebShared {
  // What is not called is not complete: see Budget.
  static constexpr size_t kMostHeld = size_t{64} * 1024 * 1024;

  using OnStream = absl::AnyInvocable<void(const rpc::StreamInfo&, std::unique_ptr<rpc::Stream>)>;

  explicit WebShared(net::EventLoop& event_loop) : loop(event_loop), workers(event_loop) {}

  net::EventLoop& loop;
  net::WorkerQueue workers;  // for handshakes
  Budget budget{kMostHeld};
  OnStream on_stream;
  bool is_draining = false;
};

// Confined to the loop; owned by the Server.
class Connection final : private net::ByteStream::Delegate,
                         private HttpCall::Owner,
                         private SocketCall::Owner {
 public:
  struct Times {
    Duration head = std::chrono::seconds(10);    // from the beginning to the end of a head
    Duration body = std::chrono::seconds(30);    // then to the end of the body
    Duration idle = std::chrono::seconds(60);    // between requests
    Duration linger = std::chrono::seconds(30);  // to take some of what it was told last
  };

  // `on_over` runs once, in a turn after which the connection is to be destroyed. Without `tls` it
  // is plain HTTP, whose peers are on this machine.
  Connection(WebShared& shared, std::unique_ptr<net::ByteStream> socket, rpc::StreamInfo peer,
             std::shared_ptr<const crypto::TlsContext> tls, const Times& times,
             absl::AnyInvocable<void() &&> on_over);
  ~Connection();

  // The broker is going: ends once there is nothing under way.
  void Drain();

 private:
  enum class State {
    kGreeting,  // TLS
    kIdle,
    kHead,       // of a request has begun
    kBody,       // of it
    kAnswering,  // it
    kSocket,     // from now on
    kClosing,    // the last answer is on its way
    kOver,
  };

  // net::ByteStream::Delegate:
  void OnBytes(Bytes bytes) override;
  void OnEnd() override;
  void OnBroken(absl::Status why) override;
  // HttpCall::Owner:
  void SendAnswer(const HttpAnswer& answer) override;
  void BeginLines() override;
  void SendLine(const std::string& line, net::ByteStream::Completion done) override;
  void EndLines() override;
  // SocketCall::Owner:
  void OnSocketOver() override { End(); }

  void Begin(std::unique_ptr<net::ByteStream> stream);
  bool is_reading() const { return state_ == State::kHead || state_ == State::kBody; }
  void Advance();
  void HandleHead();
  void HandleRequest();
  void Dispatch(const HttpRequest& request);
  void MakeCall(const RouteMatch& match, std::string_view query, const HttpRequest& request);
  void BeginCall(const Route& route, const rpc::StreamInfo& info, absl::StatusOr<Bytes> message);
  void OpenSocket(const Route& route, const HttpRequest& request);
  rpc::StreamInfo InfoOf(const Route& route, const HttpRequest& request) const;

  void AwaitHead();
  // Writes the last of an answer.
  void Complete(std::string text);
  // Anything of it.
  void AwaitReader();
  void HandleAnswered();
  void RefuseAndClose(const HttpAnswer& answer);
  void Close();
  void End();

  WebShared& shared_;
  const rpc::StreamInfo peer_;
  std::string certificate_;
  const bool is_plain_;
  const Times times_;
  absl::AnyInvocable<void() &&> on_over_;
  State state_ = State::kGreeting;
  std::optional<TlsGreeting> greeting_;
  std::unique_ptr<net::ByteStream> stream_;
  HttpReader reader_;
  Budget::Share share_;
  HttpForm form_;                               // of the answer under way
  std::unique_ptr<net::WorkerQueue::Job> job_;  // which reads a body
  std::unique_ptr<HttpCall> http_call_;
  std::unique_ptr<SocketCall> socket_call_;
  bool peer_has_ended_ = false;  // its direction
  net::Timer timer_;
};

}  // namespace culvert::web
