// Which broker a program uses, and whether it is reached: for whoever asks how it is doing.
#pragma once

#include <string>
#include <utility>

#include "base/clock.h"

namespace culvert {

// Confined to the loop. Told by those who have streams to brokers.
class BrokerUse {
 public:
  enum class State { kUntried, kReached, kLost };

  // `address` is the one that is tried first.
  BrokerUse(std::string address, MonotonicTime now) : address_(std::move(address)), since_(now) {}

  void NoteReached(const std::string& address, MonotonicTime now) {
    Note(State::kReached, address, now);
  }
  // A stream to it was lost, or could not be started.
  void NoteLost(const std::string& address, MonotonicTime now) {
    // One that another stream has left behind tells nothing of the one that is used.
    if (state_ != State::kReached || address == address_) Note(State::kLost, address, now);
  }

  State state() const { return state_; }
  const std::string& address() const { return address_; }
  // In this state.
  MonotonicTime since() const { return since_; }

 private:
  void Note(State to, const std::string& address, MonotonicTime now) {
    if (to != state_ || (to == State::kReached && address != address_)) since_ = now;
    state_ = to;
    address_ = address;
  }

  State state_ = State::kUntried;
  std::string address_;
  MonotonicTime since_;
};

}  // namespace culvert
