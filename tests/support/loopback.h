// Plain blocking sockets on loopback: the far end of what a test looks at.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/catch.h"

namespace culvert::test {

// Closes with its owner. For the test thread.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept {
    Close();
    fd_ = other.Release();
    return *this;
  }
  ~Fd() { Close(); }

  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }
  void Close() {
    if (const int fd = Release(); fd >= 0) ::close(fd);
  }
  // Closes with RST.
  void Reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    Close();
  }

 private:
  int fd_;
};

inline sockaddr_in LoopbackSockaddr(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline Fd ListenOnLoopback(int backlog = 16) {
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in any_port = LoopbackSockaddr(0);
  REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&any_port), sizeof(any_port)) ==
          0);
  REQUIRE(::listen(listener.get(), backlog) == 0);
  return listener;
}

inline uint16_t PortOf(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

// Connects to 127.0.0.1; invalid (get() < 0, errno set) when that failed.
inline Fd ConnectToLoopback(uint16_t port, int flags = 0) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  const sockaddr_in address = LoopbackSockaddr(port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
      errno != EINPROGRESS) {
    const int error = errno;
    fd.Close();
    errno = error;
  }
  return fd;
}

// The two ends of one TCP connection.
inline std::pair<Fd, Fd> ConnectedPair() {
  const Fd listener = ListenOnLoopback();
  Fd one = ConnectToLoopback(PortOf(listener.get()));
  REQUIRE(one.get() >= 0);
  Fd other(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(other.get() >= 0);
  return {std::move(one), std::move(other)};
}

inline void SetNonBlocking(int fd) {
  REQUIRE(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
}

// As much of `bytes` as fits now; the number of bytes.
inline size_t SendSome(int fd, std::string_view bytes) {
  const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent > 0 ? static_cast<size_t>(sent) : 0;
}

inline void SendAll(int fd, std::string_view bytes) {
  REQUIRE(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
}

// What a peer sees when it reads without waiting.
struct PeerRead {
  std::string bytes;
  bool eof = false;
  int error = 0;  // an errno, but not EAGAIN
};

inline PeerRead ReadNow(int fd) {
  PeerRead result;
  std::string buffer(64 * 1024, '\0');
  while (true) {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) {
      result.bytes.append(buffer.data(), static_cast<size_t>(got));
      continue;
    }
    result.eof = got == 0;
    if (got < 0 && errno != EAGAIN) result.error = errno;
    return result;
  }
}

// `size` bytes that do not repeat with any short period.
inline std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  uint32_t state = 1;
  for (char& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

// The kernel drops what comes to the socket before TCP sees it: nothing is acknowledged, and at a
// listener no connection comes about. What a network does that is away.
inline void SetDropping(int fd, bool drop) {
  sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog program{1, nothing};
  const int unused = 0;
  if (drop) {
    ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
  } else {
    ::setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused));
  }
}

}  // namespace culvert::test
