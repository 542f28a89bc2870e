// What all connections together hold of requests that are not complete.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <utility>

namespace culvert::web {

// Confined to the loop; outlives its shares.
class Budget {
 public:
  // So many bytes for all, of which no one gets more than `most_of_one`.
  Budget(size_t limit, size_t most_of_one) : limit_(limit), most_of_one_(most_of_one) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // One request's, of whoever asks.
  class Share {
   public:
    Share(Budget& budget, std::string who) : budget_(budget), who_(std::move(who)) {}
    ~Share() { Set(0); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // It holds so many now. False if that is too many for all or for one.
    bool Set(size_t bytes) {
      const bool grows = bytes > bytes_;
      budget_.used_ = budget_.used_ - bytes_ + bytes;
      size_t& of_one = budget_.of_each_[who_];
      of_one = of_one - bytes_ + bytes;
      bytes_ = bytes;
      const bool is_too_much = budget_.used_ > budget_.limit_ || of_one > budget_.most_of_one_;
      if (of_one == 0) budget_.of_each_.erase(who_);
      return !grows || !is_too_much;
    }

   private:
    Budget& budget_;
    const std::string who_;
    size_t bytes_ = 0;
  };

 private:
  const size_t limit_;
  const size_t most_of_one_;
  size_t used_ = 0;
  std::unordered_map<std::string, size_t> of_each_;
};

}  // namespace culvert::web
