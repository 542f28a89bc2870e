// Which port becomes the data port.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "broker/data_plane.h"
#include "config/broker_config.h"
#include "net/address.h"

namespace culvert::broker {

// Listens at the addresses of `control`, where the control port is bound, on one port. Where the
// user has not named it and it is taken, the kernel chooses: clients hear which one it is.
absl::Status ListenForData(DataPlane& data, const config::DataPortChoice& choice,
                           const std::vector<net::Address>& control);

}  // namespace culvert::broker
