#include "forwarder/forwards.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "config/endpoint.h"
#include "config/main.h"

namespace culvert::forwarder {
namespace {

// What a process that takes over finds the listeners by: where they listen, or what they are for
// where the kernel chose the port.
std::string HandOverName(const config::ForwardSpec& spec) {
  return spec.bind_port == 0 ? spec.ToString() : spec.bind().ToString();
}

}  // namespace

absl::Status Forwards::Open(const std::vector<config::ForwardSpec>& wanted) {
  for (const config::ForwardSpec& spec : wanted) {
    CULVERT_ASSIGN_OR_RETURN(Forward forward, Bind(spec));
    forwards_.push_back(std::move(forward));
  }
  return absl::OkStatus();
}

absl::StatusOr<Forwards::Forward> Forwards::Bind(const config::ForwardSpec& spec) {
  Forward forward{spec, spec.bind_port, {}};
  const auto on_accept = [this, spec](std::unique_ptr<net::TcpStream> stream) {
    on_accept_(spec, std::move(stream));
  };
  for (net::UniqueFd& fd : inheritance_.TakeListening(HandOverName(spec))) {
    CULVERT_ASSIGN_OR_RETURN(std::unique_ptr<net::Listener> listener,
                             net::Listener::FromFd(loop_, fd.release(), on_accept));
    forward.port = listener->address().port();
    forward.listeners.push_back(std::move(listener));
  }
  if (!forward.listeners.empty()) return forward;
  CULVERT_ASSIGN_OR_RETURN(const std::vector<net::Address> addresses,
                           config::BindAddresses(spec.bind()));
  for (const net::Address& address : addresses) {
    CULVERT_ASSIGN_OR_RETURN(const net::Address with_port,
                             net::Address::FromLiteral(address.ip(), forward.port));
    CULVERT_ASSIGN_OR_RETURN(std::unique_ptr<net::Listener> listener,
                             net::Listener::Bind(loop_, with_port, on_accept));
    forward.port = listener->address().port();
    forward.listeners.push_back(std::move(listener));
  }
  return forward;
}

std::string Forwards::ReadyLine(const Forward& forward) const {
  const config::ForwardSpec& spec = forward.spec;
  if (lines_ == Lines::kText) return fmt::format("forwarding {}\n", spec.Arrow(forward.port));
  const config::Endpoint listen{spec.bind_host, forward.port};
  return nlohmann::json{{"event", "forwarding"},
                        {"listen", listen.ToString()},
                        {"agent", spec.agent},
                        {"target", spec.target.ToString()}}
             .dump() +
         "\n";
}

absl::Status Forwards::PrintAll() const {
  std::string lines;
  for (const Forward& forward : forwards_) lines += ReadyLine(forward);
  return config::PrintResult(lines);
}

size_t Forwards::Replace(std::vector<config::ForwardSpec> wanted) {
  // Each running one stands for one of those that are wanted: port 0 may be there several times.
  std::erase_if(forwards_, [&wanted](const Forward& forward) {
    const auto same = std::find(wanted.begin(), wanted.end(), forward.spec);
    if (same == wanted.end()) return true;
    wanted.erase(same);
    return false;
  });
  return Start(wanted);
}

size_t Forwards::Start(const std::vector<config::ForwardSpec>& wanted) {
  size_t failed = 0;
  for (const config::ForwardSpec& spec : wanted) {
    const absl::Status started = StartOne(spec);
    if (started.ok()) continue;
    ++failed;
    CULVERT_LOG(kError, "forward {} not started: {}", spec.ToString(), MessageOf(started));
  }
  return failed;
}

absl::Status Forwards::StartOne(const config::ForwardSpec& spec) {
  CULVERT_ASSIGN_OR_RETURN(Forward forward, Bind(spec));
  forwards_.push_back(std::move(forward));
  if (absl::Status told = config::PrintResult(ReadyLine(forwards_.back())); !told.ok()) {
    CULVERT_LOG(kError, "forward {}: {}", spec.ToString(), MessageOf(told));
  }
  return absl::OkStatus();
}

std::vector<config::ForwardSpec> Forwards::Close() {
  std::vector<config::ForwardSpec> specs;
  for (const Forward& forward : std::exchange(forwards_, {})) specs.push_back(forward.spec);
  return specs;
}

std::vector<net::Listening> Forwards::Listening() const {
  std::vector<net::Listening> listening;
  for (const Forward& forward : forwards_) {
    net::Listening& next = listening.emplace_back();
    next.name = HandOverName(forward.spec);
    for (const auto& listener : forward.listeners) next.sockets.push_back(listener->fd());
  }
  return listening;
}

}  // namespace culvert::forwarder
