#include "net/resolver.h"

#include <netdb.h>
#include <uv.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "net/uv_error.h"

namespace culvert::net {
namespace {

constexpr size_t kMaxAddresses = 32;

absl::Status ResolveError(const std::string& host, int error) {
  const std::string context = fmt::format("resolve {}: ", Printable(host));
  switch (error) {
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
      return absl::NotFoundError(context + "no such host");
    // What is no host name at all: a label of more than 63 bytes, characters that IDNA forbids.
    case UV_EINVAL:
    case UV_ENAMETOOLONG:
      return absl::InvalidArgumentError(context + "not a host name");
    default:
      return absl::UnavailableError(context + uv_strerror(error));
  }
}

std::vector<Address> Collect(const addrinfo* list, uint16_t port) {
  std::vector<Address> addresses;
  for (; list != nullptr && addresses.size() < kMaxAddresses; list = list->ai_next) {
    auto address = Address::FromSockaddr(list->ai_addr);
    if (!address.ok()) continue;
    address->set_port(port);
    if (std::find(addresses.begin(), addresses.end(), *address) == addresses.end()) {
      addresses.push_back(*address);
    }
  }
  return addresses;
}

}  // namespace

// Lives until libuv, or the loop's queue for an answer known at once, has let go of it.
struct Resolution::Request {
  uv_getaddrinfo_t uv;
  Resolution* owner;  // nullptr once destroyed
  std::string host;
  uint16_t port;
  Callback callback;

  void HandleAnswer(int status, addrinfo* list) {
    if (status != 0) {
      Finish(ResolveError(host, status));
      return;
    }
    std::vector<Address> addresses = Collect(list, port);
    uv_freeaddrinfo(list);
    if (addresses.empty()) {
      Finish(ResolveError(host, UV_EAI_NODATA));
    } else {
      Finish(std::move(addresses));
    }
  }

  void Finish(absl::StatusOr<std::vector<Address>> result) {
    const std::unique_ptr<Request> self(this);
    if (owner == nullptr) return;
    owner->loop_.AssertOnThread();
    owner->request_ = nullptr;
    std::move(callback)(std::move(result));  // may destroy the owner
  }

  void FinishLater(EventLoop& loop, absl::StatusOr<std::vector<Address>> result) {
    loop.Post([this, result = std::move(result)]() mutable { Finish(std::move(result)); });
  }
};

Resolution::Resolution(EventLoop& loop, const std::string& host, uint16_t port, Callback callback)
    : loop_(loop),
      request_(new Request{
          .uv = {}, .owner = this, .host = host, .port = port, .callback = std::move(callback)}) {
  loop_.AssertOnThread();
  if (const auto literal = Address::FromLiteral(host, port); literal.ok()) {
    request_->FinishLater(loop_, std::vector<Address>{*literal});
    return;
  }
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  // No AI_ADDRCONFIG: it would hide "localhost" from a machine that is offline. Addresses that
  // cannot be reached are the dialler's business.
  hints.ai_flags = 0;
  request_->uv.data = request_;
  const int started = uv_getaddrinfo(
      loop_.uv(), &request_->uv,
      [](uv_getaddrinfo_t* request, int status, addrinfo* list) noexcept {
        static_cast<Request*>(request->data)->HandleAnswer(status, list);
      },
      host.c_str(), nullptr, &hints);
  if (started != 0) request_->FinishLater(loop_, ResolveError(host, started));
}

Resolution::~Resolution() {
  loop_.AssertOnThread();
  if (request_ == nullptr) return;
  request_->owner = nullptr;
  request_->callback = nullptr;
  // Helps only while it waits for a thread; a getaddrinfo under way runs to its end, unheard.
  uv_cancel(reinterpret_cast<uv_req_t*>(&request_->uv));
}

}  // namespace culvert::net
