// grpc.health.v1.Health/Check, as the first message of a stream.
#pragma once

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "rpc/stream.h"

namespace culvert::broker {

// The numbers of HealthCheckResponse.ServingStatus.
enum class Health { kServing = 1, kNotServing = 2 };

// Of the whole broker: a service that is asked for by name is NOT_FOUND, as in gRPC's own service.
// INVALID_ARGUMENT if `request` does not parse.
absl::StatusOr<rpc::Frame> AnswerHealthCheck(const Bytes& request, Health health);

}  // namespace culvert::broker
