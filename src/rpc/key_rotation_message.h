// Statements of key rotations as messages.
#pragma once

#include "crypto/key_rotation.h"
#include "culvert/v1/identity.pb.h"

namespace culvert::rpc {

culvert::v1::KeyRotation KeyRotationMessage(const crypto::KeyRotation& rotation);
// Nothing is checked.
crypto::KeyRotation KeyRotationOf(const culvert::v1::KeyRotation& message);

}  // namespace culvert::rpc
