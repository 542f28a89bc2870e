// What the two processes of a hand-over say to each other, on a SOCK_SEQPACKET pair. Private to
// src/net.
#pragma once

namespace culvert::net::hand_over {

// Names the descriptor of the new process's end.
inline constexpr char kVariable[] = "CULVERT_HAND_OVER";

// The first byte of a message. Old to new: a name with its sockets, any number of times; then
// kEnd. New to old: kReady.
inline constexpr char kSockets = 'S';
inline constexpr char kEnd = 'E';
inline constexpr char kReady = 'R';

}  // namespace culvert::net::hand_over
