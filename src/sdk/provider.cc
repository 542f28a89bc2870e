#include "culvert/provider.h"

#include <utility>

#include "sdk/client_core.h"
#include "sdk/provider_session.h"

namespace culvert {

// Lives on the loop.
class Provider::Impl {
 public:
  Impl(ClientCore& core, Options options) : session_(core, std::move(options)) {}
  ProviderSession& session() { return session_; }

 private:
  ProviderSession session_;
};

Provider::Provider(Client& client, Options options) : client_(client) {
  client_.Run(
      [this, &options] { impl_ = std::make_unique<Impl>(client_.core(), std::move(options)); });
}

Provider::~Provider() {
  client_.Run([this] { impl_.reset(); });
}

void Provider::Drain(absl::AnyInvocable<void() &&> done) {
  client_.Run([this, &done] { impl_->session().Drain(std::move(done)); });
}

void Provider::Abort(absl::AnyInvocable<void() &&> done) {
  client_.Run([this, &done] { impl_->session().Abort(std::move(done)); });
}

void Provider::Retire(absl::AnyInvocable<void() &&> done) {
  client_.Run([this, &done] { impl_->session().Retire(std::move(done)); });
}

void Provider::TakeBack() {
  client_.Run([this] { impl_->session().TakeBack(); });
}

std::vector<ChannelStatus> Provider::Channels() const {
  std::vector<ChannelStatus> channels;
  client_.Run([this, &channels] { channels = impl_->session().Channels(); });
  return channels;
}

uint64_t Provider::SessionId() const {
  uint64_t id = 0;
  client_.Run([this, &id] { id = impl_->session().id(); });
  return id;
}

}  // namespace culvert
