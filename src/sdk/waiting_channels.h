// The channels of a provider that wait for a path, the oldest first, and how many of each consumer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace culvert {

// Confined to one thread.
class WaitingChannels {
 public:
  void Add(uint64_t channel_id, const std::string& consumer_key);
  void Remove(uint64_t channel_id);

  size_t size() const { return order_.size(); }
  size_t CountOf(const std::string& consumer_key) const;
  // None if there is none.
  std::optional<uint64_t> OldestOf(const std::string& consumer_key) const;
  std::vector<uint64_t> Ids() const;

 private:
  struct Entry {
    uint64_t channel_id;
    std::string consumer_key;
  };
  std::list<Entry> order_;
  std::unordered_map<uint64_t, std::list<Entry>::iterator> by_id_;
  std::unordered_map<std::string, size_t> counts_;  // none is 0
};

}  // namespace culvert
