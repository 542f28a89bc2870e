#include "broker/data_port.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace culvert::broker {
namespace {

constexpr size_t kMostAddresses = 4'096;  // whose wrong tokens are counted apart
// All that are delayed are looked at then.
constexpr Duration kRetryInterval = std::chrono::milliseconds(50);

std::string_view AsText(const void* bytes, size_t size) {
  return {static_cast<const char*>(bytes), size};
}

}  // namespace

std::string AddressGroup(const net::Address& address) {
  if (address.is_ipv6()) {
    constexpr size_t kPrefixBytes = 8;
    const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(address.get());
    return std::string(AsText(&v6->sin6_addr, kPrefixBytes));
  }
  const auto* const v4 = reinterpret_cast<const sockaddr_in*>(address.get());
  return std::string(AsText(&v4->sin_addr, sizeof(v4->sin_addr)));
}

DataPort::DataPort(net::EventLoop& loop, Peers peers, const Limits& limits, OnToken on_token)
    : loop_(loop),
      peers_(peers),
      limits_(limits),
      on_token_(std::move(on_token)),
      wrong_(limits.wrong, kMostAddresses),
      expiry_(loop),
      retry_(loop) {}

absl::Status DataPort::Listen(const net::Address& address) {
  loop_.AssertOnThread();
  CULVERT_ASSIGN_OR_RETURN(
      std::unique_ptr<net::FdListener> listener,
      net::FdListener::Bind(loop_, address, [this](int fd, const net::Address& peer) {
        Accept(net::UniqueFd(fd), peer);
      }));
  listeners_.push_back(std::move(listener));
  return absl::OkStatus();
}

std::vector<net::Address> DataPort::addresses() const {
  std::vector<net::Address> addresses;
  for (const auto& listener : listeners_) addresses.push_back(listener->address());
  return addresses;
}

void DataPort::Accept(net::UniqueFd socket, const net::Address& peer) {
  loop_.AssertOnThread();
  if (peers_ == Peers::kLoopback && !peer.is_loopback()) return;
  const std::string address = AddressGroup(peer);
  MakeRoom(address, peer);
  const auto entry = sockets_.emplace(sockets_.end());
  entry->address = address;
  entry->socket = std::move(socket);
  entry->until = loop_.Now() + limits_.token_within;
  ++waiting_count_;
  by_address_[address].push_back(entry);
  ExpireLater();
  entry->poll.emplace(loop_, [this, entry](unsigned events) {
    if (events & net::FdPoll::kBroken) {
      Erase(entry);  // it tells of an error once
    } else {
      Read(entry);
    }
  });
  if (!entry->poll->Open(entry->socket.get()).ok()) {
    Erase(entry);
    return;
  }
  entry->poll->Watch(net::FdPoll::kReadable);
}

void DataPort::MakeRoom(const std::string& address, const net::Address& peer) {
  loop_.AssertOnThread();
  const auto found = by_address_.find(address);
  const bool address_is_full =
      found != by_address_.end() && found->second.size() >= limits_.per_address;
  if (!address_is_full && waiting_count_ < limits_.most) return;
  dropped_log_.Log(LogLevel::kWarning, loop_.Now(),
                   fmt::format("[data port] dropped the oldest connection without a token: too "
                               "many {} (limit {})",
                               address_is_full ? "from " + peer.ip() : std::string("in all"),
                               address_is_full ? limits_.per_address : limits_.most));
  Erase(address_is_full ? found->second.front() : sockets_.begin());
}

void DataPort::Read(Sockets::iterator socket) {
  loop_.AssertOnThread();
  const ssize_t got = recv(socket->socket.get(), socket->token.data() + socket->got,
                           kTokenBytes - socket->got, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    Erase(socket);
    return;
  }
  socket->got += static_cast<size_t>(got);
  if (socket->got == kTokenBytes) Complete(socket);
}

void DataPort::Complete(Sockets::iterator socket) {
  loop_.AssertOnThread();
  socket->poll.reset();
  const MonotonicTime now = loop_.Now();
  if (wrong_.For(socket->address, now).Wait(now) == Duration::zero()) {
    Judge(socket);
    return;
  }
  socket->state = State::kDelayed;
  if (!retry_.is_set()) retry_.Start(kRetryInterval, [this] { RetryDelayed(); });
}

void DataPort::RetryDelayed() {
  loop_.AssertOnThread();
  const MonotonicTime now = loop_.Now();
  bool left = false;
  for (auto it = sockets_.begin(); it != sockets_.end();) {
    const auto socket = it++;
    if (socket->state != State::kDelayed) continue;
    if (wrong_.For(socket->address, now).Wait(now) == Duration::zero()) {
      Judge(socket);
    } else {
      left = true;
    }
  }
  if (left) retry_.Start(kRetryInterval, [this] { RetryDelayed(); });
}

void DataPort::Judge(Sockets::iterator socket) {
  loop_.AssertOnThread();
  const std::string address = socket->address;
  const std::array<char, kTokenBytes> token = socket->token;
  net::UniqueFd taken = std::move(socket->socket);
  Erase(socket);
  if (on_token_(AsText(token.data(), token.size()), std::move(taken)) == Verdict::kGood) return;
  const MonotonicTime now = loop_.Now();
  wrong_.For(address, now).Take(now);
}

void DataPort::Erase(Sockets::iterator socket) {
  loop_.AssertOnThread();
  const auto found = by_address_.find(socket->address);
  CULVERT_CHECK(found != by_address_.end());
  std::erase(found->second, socket);
  if (found->second.empty()) by_address_.erase(found);
  sockets_.erase(socket);
  --waiting_count_;
}

void DataPort::ExpireLater() {
  loop_.AssertOnThread();
  if (sockets_.empty() || expiry_.is_set()) return;
  expiry_.Start(sockets_.front().until - loop_.Now(), [this] { Expire(); });
}

void DataPort::Expire() {
  loop_.AssertOnThread();
  while (!sockets_.empty() && sockets_.front().until <= loop_.Now()) Erase(sockets_.begin());
  ExpireLater();
}

}  // namespace culvert::broker
