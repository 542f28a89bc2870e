// Handing a running program over to a new process, with the sockets that it listens on.
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "net/event_loop.h"
#include "net/fd_poll.h"
#include "net/signal_watcher.h"
#include "net/timer.h"
#include "net/unique_fd.h"

namespace culvert::net {

// How this process was started.
struct OwnCommand {
  std::string path;  // absolute, as it was named: what is there later may be a newer program
  std::vector<std::string> arguments;

  // At the start, while argv[0] means what it meant to whoever started this.
  static absl::StatusOr<OwnCommand> Read();
};

// A set of sockets by which one thing is listened on, and its name.
struct Listening {
  static constexpr size_t kMaxSockets = 8;
  std::string name;  // not longer than 4 KiB
  std::vector<int> sockets;
};

// The old process's side: starts the program that is at its own path now, with its own arguments
// and environment, gives it the sockets, and waits for it to be ready. Confined to the loop;
// destroy = kill a new process that is not ready yet. It reaps its children.
class HandOver {
 public:
  // How long the new process may take.
  static constexpr Duration kTime = std::chrono::seconds(30);
  // The process that is ready, or why there is none: then everything is as before.
  using Done = absl::AnyInvocable<void(absl::StatusOr<pid_t>) &&>;

  HandOver(EventLoop& loop, OwnCommand command, Duration time = kTime);
  ~HandOver();
  HandOver(const HandOver&) = delete;
  HandOver& operator=(const HandOver&) = delete;

  // `sockets` stay open until `done`, which is called once, later, unless an error is returned.
  absl::Status Start(std::vector<Listening> listening, Done done);
  bool is_under_way() const { return done_ != nullptr; }
  // Runs when the process that has taken over is killed, or ends with a failure, while this one is
  // there: "was killed by signal 9".
  void SetOnSuccessorFailed(std::function<void(const std::string& how)> on_failed) {
    on_successor_failed_ = std::move(on_failed);
  }

 private:
  absl::StatusOr<pid_t> Spawn(int socket) const;
  void HandleSocket(unsigned events);
  void Flush();
  void HandleChild();
  void HandleSuccessorEnd(int status);
  void End(absl::StatusOr<pid_t> result);

  EventLoop& loop_;
  const OwnCommand command_;
  const Duration time_;
  Done done_;        // while under way
  UniqueFd socket_;  // outlives poll_
  std::optional<FdPoll> poll_;
  std::deque<Listening> unsent_;
  bool end_sent_ = false;
  Timer timer_;
  pid_t child_ = 0;      // that is under way
  pid_t successor_ = 0;  // that was ready
  std::function<void(const std::string& how)> on_successor_failed_;
  std::set<pid_t> unreaped_;
  SignalWatcher child_watch_;
};

// The new process's side.
class Inheritance {
 public:
  // What the process that started this one hands over; blocks until all of it is there. Nothing if
  // nobody does. While this process has one thread: it changes the environment.
  static absl::StatusOr<Inheritance> Take();

  // The sockets of one Listening of that name; empty if there is none (left).
  std::vector<UniqueFd> TakeListening(const std::string& name);
  // Closes the sockets that nobody has taken and tells the old process that this one does its work.
  void TellReady();

 private:
  struct Entry {
    std::string name;
    std::vector<UniqueFd> sockets;
  };
  absl::Status Receive();
  absl::StatusOr<bool> ReceiveOne();

  UniqueFd socket_;  // to the old process
  std::vector<Entry> entries_;
};

}  // namespace culvert::net
