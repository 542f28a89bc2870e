// A gRPC stream as the path of a channel, after its opening is done.
#pragma once

#include <memory>

#include "rpc/codec.h"
#include "rpc/stream.h"
#include "tunnel/path.h"

namespace culvert::rpc {

// Writes envelopes of type `out` and reads those of type `in`. Takes the stream over: its delegate
// is replaced.
class StreamPath final : public tunnel::Path, private Stream::Delegate {
 public:
  // Hears what the broker itself says on the stream.
  class ControlListener {
   public:
    // A whole message that holds no channel message. May destroy the path.
    virtual void OnControlMessage(const Bytes& message) = 0;

   protected:
    ~ControlListener() = default;
  };

  // `delegate` outlives the path.
  StreamPath(std::unique_ptr<Stream> stream, EnvelopeType out, EnvelopeType in,
             tunnel::Path::Delegate& delegate);
  ~StreamPath() override;

  // Without one, control messages are ignored. It outlives the path.
  void SetControlListener(ControlListener* listener) { control_ = listener; }

  bool ready() const override;
  void Send(const tunnel::Message& message) override;
  // Fifteen whole TLS records; what gRPC costs is by the message (docs/adr/0004).
  size_t best_payload() const override { return size_t{240} * 1024; }
  void SetReading(bool on) override;
  void Finish() override;

 private:
  void OnMessage(Bytes message) override;
  void OnWritten() override;
  void OnEnd(absl::Status status) override;

  std::unique_ptr<Stream> stream_;
  const EnvelopeType out_;
  const EnvelopeType in_;
  tunnel::Path::Delegate& delegate_;
  ControlListener* control_ = nullptr;
  bool reading_ = false;
};

}  // namespace culvert::rpc
