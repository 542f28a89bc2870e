// What a configuration makes of the data plane, and which port becomes the data port.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/data_plane.h"
#include "config/broker_config.h"
#include "net/address.h"
#include "net/event_loop.h"

namespace culvert::broker {

// Null where the broker is to have no data port. On the control loop.
absl::StatusOr<std::unique_ptr<DataPlane>> StartData(net::EventLoop& loop,
                                                     const config::BrokerConfig& config);

// Listens at the addresses of `control`, where the control port is bound, on one port. Where the
// user has not named it and it is taken, the kernel chooses: clients hear which one it is.
absl::Status ListenForData(DataPlane& data, const config::DataPortChoice& choice,
                           const std::vector<net::Address>& control);

}  // namespace culvert::broker
