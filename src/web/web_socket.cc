#include "web/web_socket.h"

#include <wslay/wslay.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace culvert::web {
namespace {

// Where to cut `text` so that it is UTF-8 still.
std::string_view CutReason(std::string_view text) {
  if (text.size() <= WebSocket::kMostReason) return text;
  size_t size = WebSocket::kMostReason;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U) --size;
  return text.substr(0, size);
}

const uint8_t* OctetsOf(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

}  // namespace

struct WebSocket::Parts {
  static ssize_t Receive(wslay_event_context_ptr context, uint8_t* bytes, size_t size, int,
                         void* self) {
    std::string_view& input = static_cast<WebSocket*>(self)->input_;
    if (input.empty()) {
      wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }
    const size_t taken = std::min(size, input.size());
    input.copy(reinterpret_cast<char*>(bytes), taken);
    input.remove_prefix(taken);
    return static_cast<ssize_t>(taken);
  }

  static ssize_t Transmit(wslay_event_context_ptr, const uint8_t* bytes, size_t size, int,
                          void* self) {
    static_cast<WebSocket*>(self)->output_.append(reinterpret_cast<const char*>(bytes), size);
    return static_cast<ssize_t>(size);
  }

  static void HandleMessage(wslay_event_context_ptr, const wslay_event_on_msg_recv_arg* message,
                            void* self) {
    auto& socket = *static_cast<WebSocket*>(self);
    const std::string_view content(reinterpret_cast<const char*>(message->msg),
                                   message->msg_length);
    if (message->opcode == WSLAY_TEXT_FRAME || message->opcode == WSLAY_BINARY_FRAME) {
      socket.messages_.push_back({message->opcode == WSLAY_TEXT_FRAME, std::string(content)});
    }
  }

  wslay_event_context_ptr context = nullptr;
  bool is_broken = false;  // in a way that wslay does not answer
};

WebSocket::WebSocket(size_t most_message) : parts_(std::make_unique<Parts>()) {
  wslay_event_callbacks callbacks{};
  callbacks.recv_callback = &Parts::Receive;
  callbacks.send_callback = &Parts::Transmit;
  callbacks.on_msg_recv_callback = &Parts::HandleMessage;
  CULVERT_CHECK(wslay_event_context_server_init(&parts_->context, &callbacks, this) == 0);
  wslay_event_config_set_max_recv_msg_length(parts_->context, most_message);
}

WebSocket::~WebSocket() { wslay_event_context_free(parts_->context); }

void WebSocket::Feed(std::string_view bytes) {
  input_ = bytes;
  while (!input_.empty() && !has_ended()) {
    if (wslay_event_recv(parts_->context) != 0) parts_->is_broken = true;
  }
  input_ = {};
}

SocketMessage WebSocket::TakeMessage() {
  SocketMessage message = std::move(messages_.front());
  messages_.pop_front();
  return message;
}

bool WebSocket::has_ended() const {
  return parts_->is_broken || wslay_event_get_read_enabled(parts_->context) == 0 ||
         wslay_event_get_close_received(parts_->context) != 0;
}

bool WebSocket::has_closed() const {
  const uint16_t code = wslay_event_get_status_code_received(parts_->context);
  return wslay_event_get_close_received(parts_->context) != 0 &&
         (code == WSLAY_CODE_NORMAL_CLOSURE || code == WSLAY_CODE_NO_STATUS_RCVD);
}

void WebSocket::Send(const SocketMessage& message) {
  const wslay_event_msg frame{
      static_cast<uint8_t>(message.is_text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME),
      OctetsOf(message.content), message.content.size()};
  // Fails only after a close frame, where nothing is to be said any more.
  static_cast<void>(wslay_event_queue_msg(parts_->context, &frame));
}

void WebSocket::SendPing() {
  const wslay_event_msg ping{WSLAY_PING, nullptr, 0};
  static_cast<void>(wslay_event_queue_msg(parts_->context, &ping));
}

void WebSocket::SendClose(uint16_t code, std::string_view reason) {
  const std::string_view cut = CutReason(reason);
  static_cast<void>(wslay_event_queue_close(parts_->context, code, OctetsOf(cut), cut.size()));
}

std::string WebSocket::TakeOutput() {
  // Goes on until all is in `output_`, which takes everything.
  static_cast<void>(wslay_event_send(parts_->context));
  return std::exchange(output_, {});
}

}  // namespace culvert::web
