// The beginning of a consumer's handshake before the channel that it is for has a name.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "crypto/tls_engine.h"
#include "sdk/end_to_end.h"

namespace culvert {

// A ClientHello that resumes a session, to be sent together with the opening: the agent's answer
// comes a round trip sooner. Says nothing of what is opened, is good for one channel, and worth
// nothing if that takes another way. Confined to the loop.
struct EarlyHello {
  // None unless there is a session with `agent` ("PROJECT/AGENT") to resume: a full handshake waits
  // for its turn. `own` is the identity that the channel is opened with.
  static std::optional<EarlyHello> Make(EndToEnd& shared,
                                        const std::shared_ptr<const crypto::TlsContext>& own,
                                        const std::string& agent);

  std::unique_ptr<EndToEnd::Turn> turn;
  std::shared_ptr<crypto::TlsEngine> engine;
  Bytes bytes;  // the ClientHello
};

}  // namespace culvert
