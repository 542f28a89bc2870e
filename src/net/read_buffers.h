// Large buffers for reads whose bytes are kept as they are. Private to src/net.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/bytes.h"

namespace culvert::net {

// Of one loop. A few idle buffers are kept: memory that is given back to the kernel and taken again
// costs as much as the copy that it saves.
class ReadBuffers {
 public:
  using Buffer = std::unique_ptr<char[]>;
  static constexpr size_t kMostIdle = 8;

  explicit ReadBuffers(size_t size);

  size_t size() const { return size_; }
  size_t idle() const;  // buffers
  // Not filled with anything.
  Buffer Take();
  void Return(Buffer buffer);
  // The first `filled` bytes of `buffer`, which comes back here when nobody holds them any more: on
  // any thread, also when this is gone.
  Bytes Share(Buffer buffer, size_t filled);

 private:
  struct Idle;

  const size_t size_;
  const std::shared_ptr<Idle> idle_;
};

}  // namespace culvert::net
