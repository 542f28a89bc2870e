// A data port that the test plays, for DataParking.
#pragma once

#include <sys/socket.h>

#include <map>
#include <utility>
#include <vector>

#include "sdk/data_parking.h"
#include "tests/support/catch.h"
#include "tests/support/loopback.h"

namespace culvert {
using namespace std::chrono_literals;
using culvert::v1::LeaseDataResponse;

inline constexpr size_t kTokenBytes = 32;

// A data port that the test plays, and the broker that lends its tokens.
struct ParkingFixture {
  net::EventLoop loop;
  test::Fd listener = test::ListenOnLoopback(1'024);
  std::vector<uint32_t> asked;
  uint64_t lent = 0;
  std::map<std::string, test::Fd> taken;  // by token
  std::optional<DataParking> parking;

  explicit ParkingFixture(const DataParking::Times& times = {}) {
    test::SetNonBlocking(listener.get());
    parking.emplace(
        loop, [this](uint32_t count) { asked.push_back(count); }, times);
  }
  ~ParkingFixture() { parking.reset(); }

  net::Address Port() const {
    return *net::Address::FromLiteral("127.0.0.1", test::PortOf(listener.get()));
  }
  static std::string Token(uint64_t id) {
    std::string token(kTokenBytes, 't');
    token.replace(0, std::to_string(id).size(), std::to_string(id));
    return token;
  }
  LeaseDataResponse Leases(size_t count) {
    LeaseDataResponse response;
    for (size_t i = 0; i < count; ++i) {
      auto& lease = *response.add_leases();
      lease.set_parked_id(++lent);
      lease.set_token(Token(lent));
      lease.set_expires_ms(10'000);
    }
    return response;
  }
  void Lend(size_t count) { parking->TakeLeases(Leases(count)); }
  // Answers what is asked until there are `count` parked.
  bool Serve(size_t count) {
    size_t answered = asked.size();
    return Until([&] {
      for (; answered < asked.size(); ++answered) Lend(asked[answered]);
      return parking->size() == count;
    });
  }
  // The first two, which the first opening brings.
  void ParkTwo() {
    parking->Start(Port());
    parking->NoteOpening();
    REQUIRE(Until([this] { return asked.size() == 1; }));
    CHECK(asked[0] == 2);
    Lend(2);
    REQUIRE(Until([this] { return parking->size() == 2; }));
  }
  // What the data port has heard.
  std::vector<std::string> Accept(size_t count) {
    std::vector<std::string> tokens;
    CHECK(Until([&] {
      test::Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (fd.get() < 0) return tokens.size() >= count;
      std::string token(kTokenBytes, '\0');
      REQUIRE(::recv(fd.get(), token.data(), token.size(), MSG_WAITALL) ==
              static_cast<ssize_t>(kTokenBytes));
      tokens.push_back(token);
      taken[token] = std::move(fd);
      return tokens.size() >= count;
    }));
    return tokens;
  }
  bool Until(const std::function<bool()>& done) { return loop.RunUntil(done, 5s); }
  void Settle(Duration time = 20ms) {
    loop.RunUntil([] { return false; }, time);
  }
};

}  // namespace culvert
