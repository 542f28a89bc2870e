// The frames of a WebSocket's server (RFC 6455) over memory.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace culvert::web {

struct SocketMessage {
  bool is_text = false;
  std::string content;
};

// Fragments are joined, pings answered; what breaks the protocol (a frame that is not masked, text
// that is not UTF-8) ends it with a close frame that says so.
class WebSocket {
 public:
  static constexpr uint16_t kNormal = 1000;
  static constexpr uint16_t kTooBig = 1009;
  // Of a close frame.
  static constexpr size_t kMostReason = 123;

  // A message may have so many bytes.
  explicit WebSocket(size_t most_message);
  ~WebSocket();
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  // Bytes of the client, cut anywhere.
  void Feed(std::string_view bytes);
  bool has_message() const { return !messages_.empty(); }
  SocketMessage TakeMessage();
  // Nothing more comes: a close frame has, or the client broke the protocol.
  bool has_ended() const;
  // By a close frame of the client's that says that all is well.
  bool has_closed() const;

  void Send(const SocketMessage& message);
  void SendPing();
  // `reason` is cut where it is too long. Nothing is sent after it.
  void SendClose(uint16_t code, std::string_view reason);
  // Bytes for the client since the last call.
  std::string TakeOutput();

 private:
  struct Parts;

  std::unique_ptr<Parts> parts_;
  std::string_view input_;
  std::deque<SocketMessage> messages_;
  std::string output_;
};

}  // namespace culvert::web
