#include "web/connection.h"

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "web/json_writer.h"
#include "web/pages.h"
#include "web/request_rules.h"
#include "web/transcoding.h"

namespace culvert::web {
namespace {

// "/v1/projects" of "/v1/projects?pageSize=1".
std::string_view PathOf(const HttpRequest& request) {
  const std::string_view target = request.target;
  return target.substr(0, target.find('?'));
}

}  // namespace

Connection::Connection(WebShared& shared, std::unique_ptr<net::ByteStream> socket,
                       rpc::StreamInfo peer, std::shared_ptr<const crypto::TlsContext> tls,
                       const Times& times, absl::AnyInvocable<void() &&> on_over)
    : shared_(shared),
      peer_(std::move(peer)),
      is_plain_(tls == nullptr),
      times_(times),
      on_over_(std::move(on_over)),
      timer_(shared.loop) {
  // Of the handshake too.
  timer_.Start(times_.head, [this] {
    greeting_.reset();
    End();
  });
  if (is_plain_) {
    Begin(std::move(socket));
    return;
  }
  greeting_.emplace(shared_.workers, std::move(socket), std::move(tls),
                    [this](absl::StatusOr<TlsGreeting::Greeted> greeted) {
                      if (!greeted.ok()) {
                        CULVERT_LOG(kDebug, "[web] {}: {}", peer_.endpoint(),
                                    Printable(MessageOf(greeted.status())));
                        End();
                        return;
                      }
                      certificate_ = std::move(greeted->certificate);
                      Begin(std::move(greeted->stream));
                    });
}

Connection::~Connection() = default;

void Connection::Begin(std::unique_ptr<net::ByteStream> stream) {
  if (state_ == State::kOver) return;
  stream_ = std::move(stream);
  stream_->SetDelegate(this);
  stream_->SetReading(true);
  state_ = State::kHead;
}

void Connection::Drain() {
  if (state_ == State::kIdle) Close();
}

void Connection::OnBytes(Bytes bytes) {
  if (state_ == State::kClosing || state_ == State::kOver) return;  // too late
  reader_.Feed(bytes.view());
  if (state_ == State::kIdle) AwaitHead();
  if (is_reading()) {
    Advance();
  } else if (reader_.has_enough()) {
    stream_->SetReading(false);
  }
}

void Connection::AwaitHead() {
  state_ = State::kHead;
  timer_.Start(times_.head, [this] { End(); });
}

void Connection::Advance() {
  while (is_reading()) {
    const absl::StatusOr<HttpReader::Step> step = reader_.Next();
    if (!step.ok()) {
      RefuseAndClose(ErrorAnswer(reader_.failure_code(), step.status()));
    } else if (share_ && !share_->Set(reader_.held())) {
      RefuseAndClose(ErrorAnswer(
          503, absl::ResourceExhaustedError("too many requests are being read: try again later")));
    } else if (*step == HttpReader::Step::kWantsBytes) {
      return;
    } else if (*step == HttpReader::Step::kHead) {
      HandleHead();
    } else {
      HandleRequest();
    }
  }
}

void Connection::HandleHead() {
  const HttpRequest& request = reader_.request();
  form_ = {request.is_1_1, request.keep_alive && !shared_.is_draining, request.method == "HEAD"};
  if (const auto refusal = RefuseHead(request, is_plain_)) {
    RefuseAndClose(*refusal);
    return;
  }
  if (AnswerHead(request)) return;
  state_ = State::kBody;
  timer_.Start(times_.body, [this] { End(); });
  if (request.Has("expect") && request.is_1_1) {
    stream_->Write(Bytes(WriteContinue()), [](const absl::Status&) {});
  }
}

bool Connection::AnswerHead(const HttpRequest& request) {
  const bool has_body = HasBody(request);
  const absl::StatusOr<RouteMatch> match = MatchRoute(request.method, PathOf(request));
  if (!match.ok()) {  // a page, or nothing: neither has a use for a body
    if (!has_body) return false;
    BeginAnswer();
    form_.keep_alive = false;
    Dispatch(request);
    return true;
  }
  const Route& route = *match->route;
  const rpc::StreamInfo info = InfoOf(route, request);
  const std::optional<std::string> caller = shared_.calls.find_caller(info);
  if (!caller) {
    BeginAnswer();
    form_.keep_alive = false;
    BeginCall(route, info, Bytes());
    return true;
  }
  if (has_body) share_.emplace(shared_.budget, caller->empty() ? peer_.peer : *caller);
  return false;
}

void Connection::BeginAnswer() {
  state_ = State::kAnswering;
  timer_.Cancel();
}

void Connection::HandleRequest() {
  BeginAnswer();
  const HttpRequest request = reader_.Take();
  Dispatch(request);
  if (job_ == nullptr) share_.reset();
}

void Connection::Dispatch(const HttpRequest& request) {
  const std::string_view target = request.target;
  const std::string_view path = PathOf(request);
  const std::string_view query = target.substr(std::min(path.size() + 1, target.size()));
  if (const auto page = FindPage(request.method, path, shared_.is_draining)) {
    SendAnswer(*page);
    return;
  }
  const absl::StatusOr<RouteMatch> match = MatchRoute(request.method, path);
  if (absl::IsOutOfRange(match.status())) {
    HttpAnswer answer = ErrorAnswer(405, absl::UnimplementedError("that method is not for this"));
    answer.fields.push_back({"Allow", std::string(MessageOf(match.status()))});
    SendAnswer(answer);
  } else if (!match.ok()) {
    SendAnswer(ErrorAnswer(match.status()));
  } else if (match->route->kind == Route::Kind::kSocket && !query.empty()) {
    SendAnswer(ErrorAnswer(absl::InvalidArgumentError("a WebSocket has no parameters")));
  } else if (match->route->kind == Route::Kind::kSocket) {
    OpenSocket(*match->route, request);
  } else {
    MakeCall(*match, query, request);
  }
}

void Connection::MakeCall(const RouteMatch& match, std::string_view query,
                          const HttpRequest& request) {
  if (const auto refusal = RefuseBody(request)) {
    SendAnswer(*refusal);
    return;
  }
  const Route& route = *match.route;
  const rpc::StreamInfo info = InfoOf(route, request);
  if (request.body.size() <= kMostOnLoop) {
    BeginCall(route, info, MakeRequest(match, query, request));
    return;
  }
  share_->Set(request.body.size());  // it has one where there is a body
  auto message = std::make_shared<absl::StatusOr<Bytes>>();
  job_ = shared_.workers.Submit([match, text = std::string(query), request,
                                 message] { *message = MakeRequest(match, text, request); },
                                [this, &route, info, message] {
                                  job_.reset();
                                  share_.reset();
                                  BeginCall(route, info, std::move(*message));
                                });
}

void Connection::BeginCall(const Route& route, const rpc::StreamInfo& info,
                           absl::StatusOr<Bytes> message) {
  if (!message.ok()) {
    SendAnswer(ErrorAnswer(message.status()));
    return;
  }
  if (peer_has_ended_ && route.kind == Route::Kind::kLines) {
    End();  // nobody would notice that it is gone
    return;
  }
  HttpCall::Owner& owner = *this;
  http_call_ = std::make_unique<HttpCall>(shared_.workers, owner, route, *std::move(message));
  shared_.calls.on_stream(info, http_call_->MakeStream());
}

void Connection::OpenSocket(const Route& route, const HttpRequest& request) {
  std::string accept;
  if (const auto refusal = RefuseHandshake(request, accept)) {
    SendAnswer(*refusal);
    return;
  }
  state_ = State::kSocket;
  stream_->Write(Bytes(WriteUpgrade(accept)), [](const absl::Status&) {});
  SocketCall::Owner& owner = *this;
  socket_call_ = std::make_unique<SocketCall>(shared_.workers, owner, route, *stream_);
  shared_.calls.on_stream(InfoOf(route, request), socket_call_->MakeStream());
  socket_call_->Begin(reader_.TakeRest());
}

rpc::StreamInfo Connection::InfoOf(const Route& route, const HttpRequest& request) const {
  rpc::StreamInfo info = peer_;
  info.version = route.version;
  info.method = route.method;
  info.certificate = certificate_;
  // A field that is there twice would have two readings: it has none.
  info.authorization = request.Only("authorization").value_or(std::string_view());
  return info;
}

void Connection::OnEnd() {
  peer_has_ended_ = true;
  // Who waits for one answer may have nothing more to say; who reads lines would not be missed.
  if (state_ == State::kIdle) {
    Close();
  } else if (state_ != State::kAnswering || (http_call_ && http_call_->sends_lines())) {
    End();
  }
}

void Connection::OnBroken(absl::Status) { End(); }

void Connection::End() {
  if (std::exchange(state_, State::kOver) == State::kOver) return;
  timer_.Cancel();
  job_.reset();
  if (http_call_) http_call_->EndByPeer();
  if (socket_call_) socket_call_->EndByPeer();
  std::exchange(on_over_, nullptr)();
}

}  // namespace culvert::web
