// Two far ends with a pair of joined sockets between them.
#pragma once

#include <poll.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/splicer.h"
#include "tests/support/loopback.h"

namespace culvert::net {

using namespace std::chrono_literals;
using test::ConnectedPair;
using test::Fd;
using test::Pattern;
using test::PeerRead;
using test::ReadNow;
using test::SendSome;

inline std::pair<Fd, Fd> UnixPair() {
  int fds[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

// The far ends of a pair: what goes into one comes out of the other.
struct Link {
  Fd left;
  Fd right;
  uint64_t id = 0;

  Fd& end(int side) { return side == 0 ? left : right; }
};

struct SplicerFixture {
  EventLoop control;
  std::vector<SpliceEnd> ends;
  std::unique_ptr<Splicer> splicer;

  explicit SplicerFixture(Splicer::Options options = {.loops = 2, .pipes = 512}) {
    auto started =
        Splicer::Start(control, options, [this](const SpliceEnd& end) { ends.push_back(end); });
    REQUIRE(started.ok());
    splicer = *std::move(started);
  }

  Link Join(std::pair<Fd, Fd> (*connect)() = ConnectedPair) {
    auto [left, left_near] = connect();
    auto [right, right_near] = connect();
    test::SetNonBlocking(left_near.get());
    test::SetNonBlocking(right_near.get());
    const uint64_t id =
        splicer->Join(UniqueFd(left_near.Release()), UniqueFd(right_near.Release()));
    return {std::move(left), std::move(right), id};
  }

  bool Until(const std::function<bool()>& done) { return control.RunUntil(done, 20s); }

  // The end of `id`, once it has come.
  SpliceEnd EndOf(uint64_t id) {
    auto found = ends.end();
    REQUIRE(Until([&] {
      found = std::find_if(ends.begin(), ends.end(), [&](const auto& end) { return end.id == id; });
      return found != ends.end();
    }));
    return *found;
  }

  // Everything until end of file, an error, or `most` bytes.
  PeerRead ReadAll(int fd, size_t most = SIZE_MAX) {
    PeerRead all;
    CHECK(Until([&] {
      PeerRead next = ReadNow(fd);
      all.bytes += next.bytes;
      all.eof = next.eof;
      all.error = next.error;
      return all.eof || all.error != 0 || all.bytes.size() >= most;
    }));
    return all;
  }

  // Sends `bytes` from one end of `link` and others back at the same time; whether they arrived.
  bool ExchangesBytes(Link& link, const std::string& bytes) {
    const std::string back(bytes.rbegin(), bytes.rend());
    size_t sent = 0;
    size_t sent_back = 0;
    std::string got;
    std::string got_back;
    const bool came = Until([&] {
      sent += SendSome(link.left.get(), std::string_view(bytes).substr(sent));
      sent_back += SendSome(link.right.get(), std::string_view(back).substr(sent_back));
      got += ReadNow(link.right.get()).bytes;
      got_back += ReadNow(link.left.get()).bytes;
      return got.size() >= bytes.size() && got_back.size() >= back.size();
    });
    return came && got == bytes && got_back == back;
  }

  // Sends until nobody takes any more; the number of bytes.
  static size_t Fill(int fd, std::string_view bytes) {
    size_t sent = 0;
    pollfd poll_fd{fd, POLLOUT, 0};
    while (sent < bytes.size() && poll(&poll_fd, 1, 300) > 0) {
      sent += SendSome(fd, bytes.substr(sent));
    }
    return sent;
  }
};

}  // namespace culvert::net
