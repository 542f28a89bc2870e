#include "broker/data_listen.h"

#include <algorithm>
#include <cstdint>

#include "base/log.h"
#include "base/status.h"

namespace culvert::broker {
namespace {

using ChoiceKind = config::DataPortChoice::Kind;

// With several addresses one may have taken the port that the kernel chose for another.
constexpr int kMostChoices = 8;

bool IsWildcard(const net::Address& address) {
  return address.ip() == (address.is_ipv6() ? "::" : "0.0.0.0");
}

// Each once: a control port may be bound at several ports of an address, or at all addresses and
// at one of them.
std::vector<net::Address> DataAddresses(const std::vector<net::Address>& control) {
  std::vector<net::Address> addresses;
  for (net::Address address : control) {
    address.set_port(0);
    const bool covered =
        !IsWildcard(address) && std::any_of(control.begin(), control.end(), [&](const auto& other) {
          return IsWildcard(other) && other.is_ipv6() == address.is_ipv6();
        });
    const bool known = std::find(addresses.begin(), addresses.end(), address) != addresses.end();
    if (!covered && !known) addresses.push_back(address);
  }
  return addresses;
}

absl::Status ListenAt(DataPlane& data, const std::vector<net::Address>& addresses, uint16_t port) {
  for (net::Address address : addresses) {
    address.set_port(port);
    if (absl::Status listening = data.Listen(address); !listening.ok()) {
      data.StopListening();
      return Annotate(listening, "data port");
    }
    port = data.addresses().front().port();  // what the kernel chose first holds for all
  }
  return absl::OkStatus();
}

absl::Status ListenAtAny(DataPlane& data, const std::vector<net::Address>& addresses) {
  absl::Status listening;
  for (int tries = 0; tries < kMostChoices; ++tries) {
    listening = ListenAt(data, addresses, 0);
    if (listening.ok()) break;
  }
  return listening;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataPlane>> StartData(net::EventLoop& loop,
                                                     const config::BrokerConfig& config) {
  if (config.data_port.kind == ChoiceKind::kNone) return nullptr;
  DataPlane::Options options;
  options.advertised_port = config.advertise_data;
  if (config.common.insecure) options.peers = DataPort::Peers::kLoopback;
  return DataPlane::Start(loop, options);
}

absl::Status ListenForData(DataPlane& data, const config::DataPortChoice& choice,
                           const std::vector<net::Address>& control) {
  const std::vector<net::Address> addresses = DataAddresses(control);
  if (choice.kind == ChoiceKind::kPort && choice.port != 0) {
    return ListenAt(data, addresses, choice.port);
  }
  const uint16_t own = control.front().port();
  if (choice.kind == ChoiceKind::kNext && own < UINT16_MAX) {
    absl::Status listening = ListenAt(data, addresses, static_cast<uint16_t>(own + 1));
    if (listening.ok()) return listening;
    CULVERT_LOG(kInfo, "another data port is chosen: {}", MessageOf(listening));
  }
  return ListenAtAny(data, addresses);
}

}  // namespace culvert::broker
