#include "crypto/jwk.h"

#include <algorithm>

namespace culvert::crypto {

const Jwk* JwkSet::Find(const std::optional<std::string>& id, std::string_view algorithm) const {
  const auto fits = [&](const Jwk& one) {
    return JwsAlgorithmName(one.key.algorithm()) == algorithm && (!id || one.id == *id);
  };
  const auto found = std::find_if(keys_.begin(), keys_.end(), fits);
  if (found == keys_.end()) return nullptr;
  // Of several without a name none is the right one.
  return std::find_if(std::next(found), keys_.end(), fits) == keys_.end() ? &*found : nullptr;
}

bool JwkSet::Has(const std::optional<std::string>& id) const {
  return std::any_of(keys_.begin(), keys_.end(),
                     [&id](const Jwk& one) { return !id || one.id == *id; });
}

}  // namespace culvert::crypto
