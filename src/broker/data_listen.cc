#include "broker/data_listen.h"

#include <cstdint>

#include "base/log.h"
#include "base/status.h"

namespace culvert::broker {
namespace {

using Kind = config::DataPortChoice::Kind;

absl::Status ListenAt(DataPlane& data, const std::vector<net::Address>& control, uint16_t port) {
  for (net::Address address : control) {
    address.set_port(port);
    CULVERT_RETURN_IF_ERROR(data.Listen(address));
    port = data.addresses().front().port();  // what the kernel chose first holds for all
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ListenForData(DataPlane& data, const config::DataPortChoice& choice,
                           const std::vector<net::Address>& control) {
  if (choice.kind == Kind::kPort) return ListenAt(data, control, choice.port);
  const uint16_t own = control.front().port();
  if (own < UINT16_MAX) {
    const absl::Status listening = ListenAt(data, control, static_cast<uint16_t>(own + 1));
    if (listening.ok()) return listening;
    CULVERT_LOG(kInfo, "another data port is chosen: {}", MessageOf(listening));
    data.StopListening();
  }
  return ListenAt(data, control, 0);
}

}  // namespace culvert::broker
