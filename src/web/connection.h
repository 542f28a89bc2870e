// One connection of the web port: reads requests, and makes calls of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

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

// Who takes the calls.
struct WebCalls {
  // Called for every call, as rpc::Server's is.
  absl::AnyInvocable<void(const rpc::StreamInfo&, std::unique_ptr<rpc::Stream>)> on_stream;
  // Who asks, for limits: empty where names count for nothing. Nothing: nobody, for whom nothing is
  // read or parsed. The call is handed over without a message, to be refused in its own words.
  absl::AnyInvocable<std::optional<std::string>(const rpc::StreamInfo&)> find_caller;
};

// What all connections share. Outlives them.
struct WebShared {
  // Of bodies that are not whole, or being read: all of them, and those of one caller.
  static constexpr size_t kMostHeld = size_t{64} * 1024 * 1024;
  static constexpr size_t kMostOfOne = size_t{8} * 1024 * 1024;

  WebShared(net::EventLoop& event_loop, WebCalls web_calls)
      : loop(event_loop), workers(event_loop), calls(std::move(web_calls)) {}

  net::EventLoop& loop;
  net::WorkerQueue workers;  // for handshakes and long JSON
  Budget budget{kMostHeld, kMostOfOne};
  WebCalls calls;
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
    Duration answer = std::chrono::minutes(5);   // to take the whole of an answer
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
  void SendAnswer(HttpAnswer answer) override;
  void BeginLines() override;
  void SendLine(const std::string& line, net::ByteStream::Completion done) override;
  void EndLines() override;
  // SocketCall::Owner:
  void OnSocketOver() override { End(); }

  void Begin(std::unique_ptr<net::ByteStream> stream);
  bool is_reading() const { return state_ == State::kHead || state_ == State::kBody; }
  void Advance();
  void HandleHead();
  // Whether all is said before the body is read, if there is one.
  bool AnswerHead(const HttpRequest& request);
  void BeginAnswer();
  void HandleRequest();
  void Dispatch(const HttpRequest& request);
  void MakeCall(const RouteMatch& match, std::string_view query, const HttpRequest& request);
  void BeginCall(const Route& route, const rpc::StreamInfo& info, absl::StatusOr<Bytes> message);
  void OpenSocket(const Route& route, const HttpRequest& request);
  rpc::StreamInfo InfoOf(const Route& route, const HttpRequest& request) const;

  void AwaitHead();
  // Writes the last of an answer.
  void Complete(std::string text);
  void SendPiece();
  // Anything of it.
  void AwaitReader();
  void HandleLineTaken();
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
  std::optional<Budget::Share> share_;  // of who sends a body
  HttpForm form_;                       // of the answer under way
  Bytes answer_;                        // the last of it
  size_t answered_ = 0;                 // of that
  std::optional<MonotonicTime> answer_deadline_;
  size_t lines_under_way_ = 0;
  std::unique_ptr<net::WorkerQueue::Job> job_;  // which reads a body
  std::unique_ptr<HttpCall> http_call_;
  std::unique_ptr<SocketCall> socket_call_;
  bool peer_has_ended_ = false;  // its direction
  net::Timer timer_;
};

}  // namespace culvert::web
