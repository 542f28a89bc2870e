// Connections to a broker's data port that wait for a channel.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "culvert/v1/extensions.pb.h"
#include "net/address.h"
#include "net/deferred.h"
#include "net/dialer.h"
#include "net/event_loop.h"
#include "net/tcp_stream.h"
#include "net/timer.h"

namespace culvert {

// The pool of one control stream (Attach or Listen), whose broker lends the tokens: none while no
// channel has been opened for a while, then two, and as many as are used. Confined to the loop.
//
// A parked connection has said its token and nothing else, and hears nothing before it is joined to
// another one: it is not read here.
class DataParking {
 public:
  static constexpr size_t kFewest = 2;
  // As many as a user's program opens at once, and those that are being replaced meanwhile.
  static constexpr size_t kMost = 64;
  // Of those that are to be parked, dialled at the same time: the broker bounds how many without a
  // token one address may have.
  static constexpr size_t kMostDialling = 16;
  struct Times {
    // Without an opening for so long the pool is given up.
    Duration idle = std::chrono::seconds(60);
    // While more than half of it was never used it is halved after so long.
    Duration unneeded = std::chrono::seconds(60);
    // What lies in between may forget a connection that says nothing.
    Duration max_age = std::chrono::minutes(5);
    Duration dial = std::chrono::seconds(5);
    // A data port that cannot be reached is tried again this late, doubling.
    Duration first_retry = std::chrono::minutes(1);
    Duration last_retry = std::chrono::hours(1);
    // A broker that lends nothing is asked again this late. One that has lent before has only not
    // heard yet what was taken: after kFirstLeaseWait, doubling.
    Duration no_lease = std::chrono::seconds(5);
    // How often ages are looked at while anything is parked.
    Duration check = std::chrono::seconds(10);
  };
  static constexpr Duration kFirstLeaseWait = std::chrono::milliseconds(5);

  struct Parked {
    uint64_t id = 0;  // as the lease names it
    std::unique_ptr<net::TcpStream> stream;
  };

  // `lease` sends a LeaseDataRequest for so many tokens on the control stream; it answers by
  // TakeLeases. What answers no request is not used.
  DataParking(net::EventLoop& loop, std::function<void(uint32_t count)> lease, const Times& times);
  DataParking(net::EventLoop& loop, std::function<void(uint32_t count)> lease)
      : DataParking(loop, std::move(lease), Times()) {}
  ~DataParking();
  DataParking(const DataParking&) = delete;
  DataParking& operator=(const DataParking&) = delete;

  // The control stream is there; `data_port` is the broker's, at the host that the stream leads to.
  void Start(const net::Address& data_port);
  // It is gone, and what was parked by its leases with it.
  void Stop();
  // The network was away: what is parked may be dead, and is replaced.
  void Renew();
  void TakeLeases(const culvert::v1::LeaseDataResponse& response);

  // A channel is opened, one way or the other: there should be connections for the next.
  void NoteOpening();
  // The one that has waited longest; none if there is none.
  std::optional<Parked> Take();
  std::optional<Parked> TakeById(uint64_t id);
  // The data port is no use, most likely because something on the way filters it: no user is to
  // wait for it, and it is tried again much later.
  void GiveUpPort(const absl::Status& why);
  size_t size() const { return parked_.size(); }
  size_t dialling() const { return dialling_.size(); }
  bool is_started() const { return port_.has_value(); }

 private:
  struct Waiting;  // a connection with a token, dialling or parked
  struct Leased {
    uint64_t parked_id;
    std::string token;
    MonotonicTime until;  // to be dialled with: a dial may take as long as a token is good for
  };
  void Fill();
  void Grow();
  void Shrink(MonotonicTime now);
  void DialNext();
  void Dialled(Waiting& waiting, absl::StatusOr<std::unique_ptr<net::TcpStream>> stream);
  void Drop(Waiting& waiting);
  void DropEnded();
  std::optional<Parked> Take(std::list<std::unique_ptr<Waiting>>::iterator which);
  void CheckAges();

  net::EventLoop& loop_;
  const std::function<void(uint32_t)> lease_;
  const Times times_;
  std::optional<net::Address> port_;  // while there is a control stream
  net::Deferred fill_;                // after what is being opened
  size_t wanted_ = 0;
  size_t unanswered_ = 0;      // requests
  size_t asked_ = 0;           // tokens that were asked for and have not come
  std::deque<Leased> leased_;  // that wait to be dialled with
  std::list<std::unique_ptr<Waiting>> dialling_;
  std::list<std::unique_ptr<Waiting>> parked_;  // the oldest first
  std::optional<MonotonicTime> opened_;         // the last NoteOpening
  MonotonicTime needed_{};                      // when half or fewer were left, the last time
  Duration retry_;
  Duration lease_wait_;
  MonotonicTime not_before_{};  // of the next dial
  net::Timer timer_;
};

}  // namespace culvert
