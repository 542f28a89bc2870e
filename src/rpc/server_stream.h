// The server's end of a gRPC stream. Included only inside src/rpc.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>

#include "absl/functional/any_invocable.h"
#include "base/clock.h"
#include "net/event_loop.h"
#include "rpc/stream.h"

namespace culvert::rpc {

using ServerReactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

// Makes the reactor that a gRPC method returns, and posts `adopt` with the stream to the loop. A
// stream that is over but for a client that does not read is cancelled after `linger`. Called on
// gRPC's threads.
ServerReactor* AcceptServerStream(net::EventLoop& loop, grpc::CallbackServerContext& context,
                                  Duration linger,
                                  absl::AnyInvocable<void(std::unique_ptr<Stream>) &&> adopt);

}  // namespace culvert::rpc
