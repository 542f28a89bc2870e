// Tokens for the data port: who may leave a socket there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "tunnel/message.h"

namespace culvert::broker {

// Whose a data socket is: a provider's session, or a consumer's attachment. Never matched by the id
// alone, which a consumer chooses.
struct DataOwner {
  enum class Role { kConsumer, kProvider };

  std::string principal;  // its SPIFFE id; under --insecure its name
  Role role = Role::kConsumer;
  uint64_t id = 0;  // the session's, or the attachment's incarnation

  friend bool operator==(const DataOwner&, const DataOwner&) = default;
  friend bool operator<(const DataOwner& a, const DataOwner& b) {
    return std::tie(a.id, a.role, a.principal) < std::tie(b.id, b.role, b.principal);
  }
};

// What a broker with this data port announces; 0: it has none.
inline uint64_t OfferedCapabilities(uint32_t data_port) {
  return tunnel::kOwnCapabilities | (data_port == 0 ? 0 : tunnel::kCapStitched);
}

// What a token stands for.
struct Leased {
  DataOwner owner;
  uint64_t parked_id = 0;
};

// Each token is good for one socket, for ten seconds; it is kept as its SHA-256. Confined to the
// control loop.
class Leases {
 public:
  static constexpr size_t kTokenBytes = 32;
  struct Limits {
    size_t per_principal = 16;  // with what it has parked
    size_t most = 65'536;       // of all
    Duration lifetime = std::chrono::seconds(10);
  };
  struct Lease {
    std::string token;
    uint64_t parked_id;  // random, 63 bits
  };

  explicit Leases(const Limits& limits) : limits_(limits) {}
  Leases() : Leases(Limits()) {}

  // At most `count`, and so many as the limits leave: maybe none. `parked` is how many sockets the
  // principal has parked.
  std::vector<Lease> Grant(const DataOwner& owner, uint32_t count, size_t parked,
                           MonotonicTime now);
  // What `token` stands for, once; nothing if it is too late, or was never granted.
  std::optional<Leased> Redeem(std::string_view token, MonotonicTime now);
  // The owner is gone: nothing of its is good any more.
  void Forget(const DataOwner& owner);

  Duration lifetime() const { return limits_.lifetime; }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string digest;
    Leased leased;
    MonotonicTime until;
  };
  using Entries = std::list<Entry>;  // in the order of `until`
  void Expire(MonotonicTime now);
  void Erase(Entries::iterator entry);

  const Limits limits_;
  Entries entries_;
  // So that who comes and goes costs what it has, not what all have.
  std::map<DataOwner, std::vector<Entries::iterator>> by_owner_;
  std::unordered_map<std::string, Entries::iterator> by_digest_;
  std::unordered_map<std::string, size_t> per_principal_;
};

}  // namespace culvert::broker
