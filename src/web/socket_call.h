// A call over a WebSocket: Connect, Listen or Accept.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "net/byte_stream.h"
#include "net/timer.h"
#include "web/call.h"
#include "web/json_writer.h"
#include "web/route.h"
#include "web/web_socket.h"

namespace culvert::web {

// Each text message is the JSON of one request, each binary message its bytes in protobuf; answers
// are in the form of the client's first message. The end is a close frame: 1000 for OK, else 4000
// and the code of the status, with its words. Confined to the loop.
class SocketCall final : public Call, public net::ByteStream::Delegate {
 public:
  // Without any byte for so long the client is asked for one, and is then gone after as long again.
  static constexpr Duration kSilence = std::chrono::seconds(10);
  // The client has this long to take the end.
  static constexpr Duration kLinger = std::chrono::seconds(10);
  // The broker has this long to end the call of a client that has left in order: it waits for the
  // other end of a channel, which is to leave too.
  static constexpr Duration kFarewell = std::chrono::seconds(15);

  class Owner {
   public:
    // Everything is over: the call is to be destroyed, and its stream. In a later turn.
    virtual void OnSocketOver() = 0;

   protected:
    ~Owner() = default;
  };

  // `stream` and `owner` outlive it.
  SocketCall(net::WorkerQueue& workers, Owner& owner, const Route& route, net::ByteStream& stream);
  // Once, after MakeStream. `early` is what the client has sent already.
  void Begin(std::string_view early);

 private:
  enum class Phase {
    kOpen,
    kLeft,    // the client has left in order; the broker is to end the call
    kEnding,  // our close frame is on its way
    kOver,
  };

  // Call:
  void Deliver() override;
  void Send(rpc::Frame frame) override;
  void SendEnd(const absl::Status& status) override;
  // net::ByteStream::Delegate:
  void OnBytes(Bytes bytes) override;
  void OnEnd() override;
  void OnBroken(absl::Status why) override;

  void Take(std::string_view bytes);
  // Reads JSON, what is long on a worker, and delivers it.
  void Decode(SocketMessage message);
  void DeliverOrRefuse(absl::StatusOr<Bytes> bytes);
  void SendMessage(const SocketMessage& message);
  void Refuse(uint16_t code, const std::string& why);
  // Writes what the socket has to say; `frame` is one of the broker's.
  void Flush(bool frame);
  void Close(uint16_t code, std::string_view reason);
  // A close frame has come, or what is none of the protocol.
  void HandleEndOfInput();
  // Nothing is written any more.
  void End(Phase phase);
  void SetReading();
  void CheckSilence();
  void Finish();

  Owner& owner_;
  const Route& route_;
  net::ByteStream& stream_;
  WebSocket socket_;
  net::WorkerQueue& workers_;
  std::unique_ptr<net::WorkerQueue::Job> job_;  // which reads a message
  JsonWriter writer_;
  Phase phase_ = Phase::kOpen;
  std::optional<bool> is_text_;  // how the client spoke first
  size_t unsent_ = 0;            // writes under way
  bool heard_ = true;            // since the last look
  net::Timer timer_;
};

}  // namespace culvert::web
