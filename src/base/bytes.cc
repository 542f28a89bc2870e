#include "base/bytes.h"

#include <utility>

namespace culvert {

Bytes::Bytes(std::string content) {
  if (content.empty()) return;
  auto owner = std::make_shared<const std::string>(std::move(content));
  view_ = *owner;
  owner_ = std::move(owner);
}

}  // namespace culvert
