// The limits of every gRPC connection of ours. Numbers: docs/protocol.md "Liveness" and
// docs/adr/0004.
#pragma once

namespace culvert::rpc {

// A peer that does not answer is given up after 18 s, also while idle.
inline constexpr int kKeepaliveTimeMs = 10'000;
inline constexpr int kKeepaliveTimeoutMs = 8'000;
// What a server takes from its clients: one ping every 5 s, and never too many of them.
inline constexpr int kMinPingIntervalMs = 5'000;

// What gRPC reads ahead of a stream that nobody reads. With the bandwidth probe on (the default of
// gRPC 1.51) it is 4 MiB and more per stream.
inline constexpr int kEndpointLookahead = 1024 * 1024;
inline constexpr int kBrokerLookahead = 256 * 1024;

inline constexpr int kMaxMessageBytes = 1024 * 1024;
// What a client takes of answers about projects: a broker's have at most 3 MiB, and one change of a
// watch is not more than a few projects.
inline constexpr int kMaxProjectsBytes = 4 * 1024 * 1024;
inline constexpr int kMaxMetadataBytes = 8 * 1024;
// From the first byte to the HTTP/2 settings.
inline constexpr int kHandshakeTimeoutMs = 10'000;
// One forwarder or agent has all its streams on one connection: more than an address may have
// (16,384), so that those beyond are refused with a reason instead of waiting at the client.
inline constexpr int kStreamsBeyondLimit = 1024;
inline constexpr int kMaxStreamsPerConnection = 16'384 + kStreamsBeyondLimit;
// Of which gRPC keeps one or two to wait for calls.
inline constexpr int kMaxServingThreads = 8;

}  // namespace culvert::rpc
