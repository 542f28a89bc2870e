#include "rpc/key_rotation_message.h"

namespace culvert::rpc {

culvert::v1::KeyRotation KeyRotationMessage(const crypto::KeyRotation& rotation) {
  culvert::v1::KeyRotation message;
  message.set_old_key(rotation.old_key);
  message.set_new_key(rotation.new_key);
  message.set_spiffe_id(rotation.spiffe_id);
  message.set_time(rotation.time);
  message.set_signature(rotation.signature);
  return message;
}

crypto::KeyRotation KeyRotationOf(const culvert::v1::KeyRotation& message) {
  return {message.old_key(), message.new_key(), message.spiffe_id(), message.time(),
          message.signature()};
}

}  // namespace culvert::rpc
