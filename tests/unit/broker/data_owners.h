// Two ends with data connections: their ids are the same, their principals are not.
#pragma once

#include "broker/leases.h"

namespace culvert::broker {

inline const DataOwner kAgent{"spiffe://culvert/default/agent/edge-1", DataOwner::Role::kProvider,
                              7};
inline const DataOwner kUser{"spiffe://culvert/default/user/ann", DataOwner::Role::kConsumer, 7};

}  // namespace culvert::broker
