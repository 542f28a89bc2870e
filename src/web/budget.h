// What all connections together hold of requests that are not complete.
#pragma once

#include <cstddef>

namespace culvert::web {

// Confined to the loop; outlives its shares.
class Budget {
 public:
  explicit Budget(size_t limit) : limit_(limit) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // One connection's.
  class Share {
   public:
    explicit Share(Budget& budget) : budget_(budget) {}
    ~Share() { budget_.used_ -= bytes_; }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // It holds so many now. False if that is too many for all.
    bool Set(size_t bytes) {
      const bool grows = bytes > bytes_;
      budget_.used_ = budget_.used_ - bytes_ + bytes;
      bytes_ = bytes;
      return !grows || budget_.used_ <= budget_.limit_;
    }

   private:
    Budget& budget_;
    size_t bytes_ = 0;
  };

 private:
  const size_t limit_;
  size_t used_ = 0;
};

}  // namespace culvert::web
