// An immutable run of bytes with shared ownership: the payload that a replay window, a write in
// flight and a message under construction hold at the same time without copying it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace culvert {

// Any thread: the bytes never change after construction. Copying shares them.
class Bytes {
 public:
  Bytes() = default;
  explicit Bytes(std::string content);
  // A view into memory that `owner` keeps alive.
  Bytes(std::shared_ptr<const void> owner, std::string_view view)
      : owner_(std::move(owner)), view_(view) {}

  // The bytes of `text`, copied.
  static Bytes Copy(std::string_view text) { return Bytes(std::string(text)); }

  std::string_view view() const { return view_; }
  const char* data() const { return view_.data(); }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  // A part of the same memory, as std::string_view::substr.
  Bytes Slice(size_t offset, size_t length = std::string_view::npos) const {
    return Bytes(owner_, view_.substr(offset, length));
  }

  friend bool operator==(const Bytes& a, const Bytes& b) { return a.view_ == b.view_; }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

}  // namespace culvert
