// The ports that `culvert forward` listens on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/forward_spec.h"
#include "net/event_loop.h"
#include "net/hand_over.h"
#include "net/listener.h"
#include "net/tcp_stream.h"

namespace culvert::forwarder {

// One for each -L. Confined to the loop; destroy = stop listening.
class Forwards {
 public:
  // A connection to the port of that forward.
  using OnAccept =
      std::function<void(const config::ForwardSpec& spec, std::unique_ptr<net::TcpStream> stream)>;
  enum class Lines { kText, kJson };  // the form of what is printed for each that listens

  // `inheritance` outlives it: listeners of the process before are taken over.
  Forwards(net::EventLoop& loop, net::Inheritance& inheritance, Lines lines, OnAccept on_accept)
      : loop_(loop), inheritance_(inheritance), lines_(lines), on_accept_(std::move(on_accept)) {}
  Forwards(const Forwards&) = delete;
  Forwards& operator=(const Forwards&) = delete;

  // All or nothing: the first port that cannot be bound is the error. Prints nothing.
  absl::Status Open(const std::vector<config::ForwardSpec>& wanted);
  // Prints that they listen.
  absl::Status PrintAll() const;
  // Those that cannot be started are logged, the others print that they listen. Returns how many
  // could not.
  size_t Start(const std::vector<config::ForwardSpec>& wanted);
  // Forwards that are gone stop listening, then those that are new start. Returns as Start.
  size_t Replace(std::vector<config::ForwardSpec> wanted);
  // Stops listening; connections live on. Returns what there was.
  std::vector<config::ForwardSpec> Close();

  // For the process that takes over.
  std::vector<net::Listening> Listening() const;
  size_t size() const { return forwards_.size(); }

 private:
  struct Forward {
    config::ForwardSpec spec;
    uint16_t port = 0;                                      // that is bound
    std::vector<std::unique_ptr<net::Listener>> listeners;  // two for all interfaces
  };
  absl::StatusOr<Forward> Bind(const config::ForwardSpec& spec);
  absl::Status StartOne(const config::ForwardSpec& spec);
  std::string ReadyLine(const Forward& forward) const;

  net::EventLoop& loop_;
  net::Inheritance& inheritance_;
  const Lines lines_;
  const OnAccept on_accept_;
  std::vector<Forward> forwards_;
};

}  // namespace culvert::forwarder
