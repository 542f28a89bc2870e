#include "stitch/hello_mac.h"

#include <array>
#include <string_view>

#include "crypto/digest.h"
#include "stitch/frame.h"

namespace culvert::stitch {

std::string HelloMac(const HelloKey& key, HelloRole role, const v1::StitchHello& hello) {
  std::array<char, 1 + 8 + 4 + 8> said;
  said[0] = static_cast<char>(role);
  WriteU64(hello.channel_id(), said.data() + 1);
  WriteU32(hello.attempt(), said.data() + 9);
  WriteU64(hello.last_message_id(), said.data() + 13);
  return crypto::HmacSha256({reinterpret_cast<const char*>(key.data()), key.size()},
                            {said.data(), said.size()});
}

bool HasHelloMac(const HelloKey& key, HelloRole role, const v1::StitchHello& hello) {
  return crypto::ConstantTimeEqual(HelloMac(key, role, hello), hello.mac());
}

}  // namespace culvert::stitch
