// The client's end of a gRPC stream. Included only inside src/rpc.
#pragma once

#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>

#include "net/event_loop.h"
#include "rpc/connection.h"
#include "rpc/stream.h"

namespace culvert::rpc {

// Starts the RPC `method` ("/package.Service/Method") on `channel`. Loop thread. `traffic` gets
// what passes.
std::unique_ptr<Stream> StartClientStream(net::EventLoop& loop,
                                          const std::shared_ptr<grpc::Channel>& channel,
                                          const std::string& method,
                                          std::shared_ptr<Traffic> traffic);

}  // namespace culvert::rpc
