#include "net/service_lookup.h"

#include <arpa/nameser.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <system_error>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"

namespace culvert::net {
namespace {

// Of each name server in the first round; /etc/resolv.conf may want less.
constexpr int kMostSeconds = 2;
constexpr int kMostRounds = 2;
constexpr size_t kMaxMessage = 65'535;

// The resolver of this thread: res_init's state is not shared with anybody.
class Resolver {
 public:
  Resolver() : is_ready_(res_ninit(&state_) == 0) {
    state_.retrans = std::min(state_.retrans, kMostSeconds);
    state_.retry = std::min(state_.retry, kMostRounds);
  }
  ~Resolver() {
    if (is_ready_) res_nclose(&state_);
  }
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  absl::StatusOr<std::vector<uint8_t>> Ask(const std::string& name) {
    if (!is_ready_) return absl::UnavailableError("/etc/resolv.conf cannot be used");
    std::vector<uint8_t> answer(kMaxMessage);
    const int size = res_nsearch(&state_, name.c_str(), ns_c_in, ns_t_srv, answer.data(),
                                 static_cast<int>(answer.size()));
    if (size < 0) return Failure();
    answer.resize(std::min(static_cast<size_t>(size), answer.size()));
    return answer;
  }

 private:
  absl::Status Failure() const {
    const int why = state_.res_h_errno;
    if (why == HOST_NOT_FOUND || why == NO_DATA) return absl::NotFoundError("no SRV record");
    return absl::UnavailableError("no name server answers");
  }

  struct __res_state state_ {};
  const bool is_ready_;
};

absl::StatusOr<ServiceRecords> LookUp(const std::string& name) {
  const std::string context = fmt::format("resolve {}", Printable(name));
  absl::StatusOr<std::vector<uint8_t>> answer = Resolver().Ask(name);
  if (!answer.ok()) return Annotate(answer.status(), context);
  absl::StatusOr<ServiceRecords> records = ParseServiceRecords(*answer);
  if (!records.ok()) return Annotate(records.status(), context);
  return records;
}

}  // namespace

// The thread may outlive the lookup and its loop: it learns here whether they are still there.
struct ServiceLookup::Shared {
  Mutex mutex;
  ServiceLookup* owner ABSL_GUARDED_BY(mutex) = nullptr;

  void Tell(const std::shared_ptr<Shared>& self, absl::StatusOr<ServiceRecords> answer) {
    MutexLock lock(mutex);
    if (owner == nullptr) return;
    owner->loop_.Post([self, answer = std::move(answer)]() mutable {
      ServiceLookup* there = nullptr;
      {
        MutexLock inner(self->mutex);
        there = std::exchange(self->owner, nullptr);
      }
      // Only the loop's thread, which this is, destroys it.
      if (there != nullptr) there->HandleAnswer(std::move(answer));
    });
  }
};

ServiceLookup::ServiceLookup(EventLoop& loop, const std::string& name, Callback callback)
    : loop_(loop), callback_(std::move(callback)), shared_(std::make_shared<Shared>()) {
  loop_.AssertOnThread();
  {
    MutexLock lock(shared_->mutex);
    shared_->owner = this;
  }
  try {
    std::thread([shared = shared_, name] { shared->Tell(shared, LookUp(name)); }).detach();
  } catch (const std::system_error& error) {
    shared_->Tell(shared_, absl::UnavailableError(fmt::format("resolve {}: no thread: {}",
                                                              Printable(name), error.what())));
  }
}

ServiceLookup::~ServiceLookup() {
  loop_.AssertOnThread();
  MutexLock lock(shared_->mutex);
  shared_->owner = nullptr;
}

void ServiceLookup::HandleAnswer(absl::StatusOr<ServiceRecords> answer) {
  std::exchange(callback_, nullptr)(std::move(answer));  // may destroy this
}

}  // namespace culvert::net
