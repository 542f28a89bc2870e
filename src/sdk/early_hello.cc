#include "sdk/early_hello.h"

#include <chrono>
#include <utility>

namespace culvert {

std::optional<EarlyHello> EarlyHello::Make(EndToEnd& shared,
                                           const std::shared_ptr<const crypto::TlsContext>& own,
                                           const std::string& agent) {
  EndToEnd::TurnNow now = shared.TakeTurn(agent);
  if (now.turn == nullptr) return std::nullopt;
  auto engine = std::make_shared<crypto::TlsEngine>(own, std::chrono::system_clock::now(),
                                                    std::move(now.session));
  if (!engine->Handshake(crypto::TlsEngine::Effort::kLittle).ok()) return std::nullopt;
  Bytes bytes(engine->TakeOutput());
  return EarlyHello{std::move(now.turn), std::move(engine), std::move(bytes)};
}

}  // namespace culvert
