#include "tests/support/tcp_relay.h"

#include <poll.h>

#include <algorithm>
#include <array>

#include "tests/support/eventually.h"

namespace culvert::test {
namespace {

// How soon a command is seen.
constexpr int kTurnMs = 2;

}  // namespace

TcpRelay::TcpRelay(uint16_t to)
    : to_(to), listener_(ListenOnLoopback(64)), port_(PortOf(listener_.get())) {
  SetNonBlocking(listener_.get());
  thread_ = std::thread([this] { Run(); });
}

TcpRelay::~TcpRelay() {
  ending_ = true;
  thread_.join();
}

void TcpRelay::SetMode(Mode mode) {
  mode_ = mode;
  Do(Command::kMode);
}

void TcpRelay::Do(Command command) {
  command_ = command;
  REQUIRE(Eventually([this] { return command_ == Command::kNone; }));
}

void TcpRelay::Apply() {
  if (command_ == Command::kReset) {
    for (Pair& pair : pairs_) {
      pair.in.Reset();
      pair.out.Reset();
    }
  }
  if (command_ == Command::kCut || command_ == Command::kReset) pairs_.clear();
  if (command_ == Command::kMode) {
    const bool drop = mode_ == Mode::kBlackhole;
    SetDropping(listener_.get(), drop);
    for (const Pair& pair : pairs_) {
      SetDropping(pair.in.get(), drop);
      SetDropping(pair.out.get(), drop);
    }
  }
  command_ = Command::kNone;
}

void TcpRelay::Run() {
  while (!ending_) {
    Apply();
    std::vector<pollfd> polls{{listener_.get(), POLLIN, 0}};
    if (mode_ == Mode::kForward) {
      for (const Pair& pair : pairs_) {
        polls.push_back({pair.in.get(), POLLIN, 0});
        polls.push_back({pair.out.get(), POLLIN, 0});
      }
    }
    ::poll(polls.data(), polls.size(), kTurnMs);
    if (mode_ == Mode::kForward) {
      std::erase_if(pairs_, [](const Pair& pair) {
        return !Forward(pair.in.get(), pair.out.get()) || !Forward(pair.out.get(), pair.in.get());
      });
    }
    Take();
  }
}

void TcpRelay::Take() {
  Fd in(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (in.get() < 0) return;
  ++taken_;
  Fd out = ConnectToLoopback(to_);
  if (out.get() < 0) return;  // refused: so is what came
  pairs_.push_back({std::move(in), std::move(out)});
}

// What is there now; false when the connection has ended.
bool TcpRelay::Forward(int from, int to) {
  std::array<char, 16 * 1024> buffer;
  const ssize_t got = ::recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN;
  if (got == 0) return false;
  ssize_t sent = 0;
  while (sent < got) {
    pollfd room{to, POLLOUT, 0};
    if (::poll(&room, 1, 1000) != 1) return false;
    const ssize_t more = ::send(to, buffer.data() + sent, static_cast<size_t>(got - sent),
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (more < 0 && errno != EAGAIN) return false;
    sent += std::max<ssize_t>(more, 0);
  }
  return true;
}

}  // namespace culvert::test
