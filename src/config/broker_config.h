// What culvert-broker is told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/broker_admin.h"
#include "config/common.h"
#include "config/endpoint.h"
#include "config/environment.h"

namespace culvert::config {

// Where stitched connections come in: at the addresses of `listen`.
struct DataPortChoice {
  enum class Kind {
    kNext,  // the port after the control port, or one that the kernel chooses where that is taken
    kPort,  // this one; 0: the kernel chooses
    kNone,  // there are none
  };
  Kind kind = Kind::kNext;
  uint16_t port = 0;

  friend bool operator==(const DataPortChoice&, const DataPortChoice&) = default;
};

// Where HTTP comes in.
struct WebChoice {
  enum class Kind {
    kDefault,  // 127.0.0.1:7490, or a port that the kernel chooses where that of `listen` is one
    kAddress,  // `address`
    kNone,
  };
  Kind kind = Kind::kDefault;
  Endpoint address = {};

  friend bool operator==(const WebChoice&, const WebChoice&) = default;
};

struct BrokerConfig {
  CommonConfig common;
  std::vector<Endpoint> listen = {{"127.0.0.1", kControlPort}};  // never empty
  DataPortChoice data_port;
  uint16_t advertise_data = 0;  // what clients are told instead; 0: the data port
  WebChoice web;
  std::string region;  // the region this broker is; may be empty

  // Per peer address, until there are identities.
  uint32_t max_connections_per_address = 4096;
  uint32_t max_streams_per_address = 16384;
  uint32_t max_pending_per_address = 1024;
  uint32_t max_connections = 0;  // 0: 90 % of the descriptors
  bool json = false;             // results on stdout as JSON
  std::string ca_cert;           // the authority's, whose key is elsewhere; empty: it is here
  std::string audit_log;         // empty: audit.log in the state directory
  std::string jwt_audience = "culvert";  // of tokens that service accounts sign
  AdminCommand admin;                    // without a name: serve

  std::string audit_file() const {
    return audit_log.empty() ? common.state_dir + "/audit.log" : audit_log;
  }
};

// Every command of `culvert-broker`; `args` without the program's name. No side effects, so that a
// reload calls it again with the same arguments.
absl::StatusOr<Parsed<BrokerConfig>> ParseBrokerCommand(const std::vector<std::string>& args,
                                                        const Environment& environment);

}  // namespace culvert::config
