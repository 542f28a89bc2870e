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

constexpr size_t kPiece = size_t{64} * 1024;

}  // namespace

Connection::Connection(WebShared& shared, std::unique_ptr<net::ByteStream> socket,
                       rpc::StreamInfo peer, std::shared_ptr<const crypto::TlsContext> tls,
                       const Times& times, absl::AnyInvocable<void() &&> on_over)
    : shared_(shared),
      peer_(std::move(peer)),
      is_plain_(tls == nullptr),
      times_(times),
      on_over_(std::move(on_over)),
      share_(shared.budget),
      timer_(shared.loop) {
  // Of the handshake too.
  timer_.Start(times_.head, [this] { End(); });
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
    } else if (!share_.Set(reader_.held())) {
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
  state_ = State::kBody;
  timer_.Start(times_.body, [this] { End(); });
  if (request.Has("expect") && request.is_1_1) {
    stream_->Write(Bytes(WriteContinue()), [](const absl::Status&) {});
  }
}

void Connection::HandleRequest() {
  state_ = State::kAnswering;
  timer_.Cancel();
  const HttpRequest request = reader_.Take();
  share_.Set(reader_.held());
  Dispatch(request);
}

void Connection::Dispatch(const HttpRequest& request) {
  const std::string_view target = request.target;
  const std::string_view path = target.substr(0, target.find('?'));
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
  share_.Set(request.body.size());
  auto message = std::make_shared<absl::StatusOr<Bytes>>();
  job_ = shared_.workers.Submit([match, text = std::string(query), request,
                                 message] { *message = MakeRequest(match, text, request); },
                                [this, &route, info, message] {
                                  job_.reset();
                                  share_.Set(reader_.held());
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
  shared_.on_stream(info, http_call_->MakeStream());
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
  socket_call_ = std::make_unique<SocketCall>(shared_.workers, owner, route, *stream_, share_,
                                              reader_.TakeRest());
  shared_.on_stream(InfoOf(route, request), socket_call_->MakeStream());
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

void Connection::SendAnswer(const HttpAnswer& answer) {
  if (state_ == State::kAnswering) Complete(WriteAnswer(answer, form_));
}

void Connection::BeginLines() {
  if (state_ != State::kAnswering) return;
  HttpAnswer answer;
  answer.type = "application/x-ndjson";
  form_.keep_alive = form_.keep_alive && form_.is_1_1;
  stream_->Write(Bytes(WriteChunkedHead(answer, form_)), [](const absl::Status&) {});
}

void Connection::SendLine(const std::string& line, net::ByteStream::Completion done) {
  if (state_ != State::kAnswering) return;
  stream_->Write(Bytes(WriteChunk(line, form_)), std::move(done));
}

void Connection::EndLines() {
  if (state_ == State::kAnswering) Complete(WriteLastChunk(form_));
}

// In pieces, so that a client that reads slowly has its time for each.
void Connection::Complete(std::string text) {
  const Bytes all(std::move(text));
  AwaitReader();
  for (size_t start = 0; start < all.size(); start += kPiece) {
    stream_->Write(all.Slice(start, kPiece), [this](const absl::Status& status) {
      if (status.ok() && state_ == State::kAnswering) AwaitReader();
    });
  }
  stream_->Write(Bytes(), [this](const absl::Status& status) {
    if (status.ok()) HandleAnswered();
  });
}

void Connection::AwaitReader() {
  timer_.Start(times_.linger, [this] { End(); });
}

void Connection::HandleAnswered() {
  if (state_ != State::kAnswering) return;
  http_call_.reset();
  if (!form_.keep_alive || peer_has_ended_ || shared_.is_draining) {
    Close();
    return;
  }
  state_ = State::kIdle;
  timer_.Start(times_.idle, [this] { Close(); });
  stream_->SetReading(true);
  if (!reader_.has_begun()) return;
  AwaitHead();
  Advance();
}

void Connection::RefuseAndClose(const HttpAnswer& answer) {
  form_.keep_alive = false;
  stream_->Write(Bytes(WriteAnswer(answer, form_)), [](const absl::Status&) {});
  Close();
}

// What the client sends meanwhile is read and dropped: closing over it would reset the connection
// before it has read its answer.
void Connection::Close() {
  state_ = State::kClosing;
  timer_.Start(times_.linger, [this] { End(); });
  stream_->FinishWriting([this](const absl::Status&) {
    if (peer_has_ended_) End();
  });
  stream_->SetReading(true);
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
