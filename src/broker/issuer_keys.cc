#include "broker/issuer_keys.h"

#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace culvert::broker {

IssuerKeys::IssuerKeys(net::EventLoop& loop, store::Issuer issuer, FetchKeys fetch, int& reads,
                       OnKeys on_keys)
    : loop_(loop),
      issuer_(std::move(issuer)),
      fetch_(std::move(fetch)),
      reads_(reads),
      on_keys_(std::move(on_keys)),
      text_(issuer_.keys) {
  if (absl::StatusOr<crypto::JwkSet> kept = crypto::JwkSet::FromJson(issuer_.keys); kept.ok()) {
    keys_ = *std::move(kept);
  } else {
    Read();
  }
}

IssuerKeys::~IssuerKeys() {
  if (work_) --reads_;
}

bool IssuerKeys::Rested(Duration pause) const {
  return !work_ && (!tried_ || loop_.Now() - *tried_ >= pause);
}

void IssuerKeys::RefreshIfOld() {
  if (Rested(kFreshFor)) Read();
}

bool IssuerKeys::Refresh() {
  if (Rested(kShortestPause)) Read();
  return work_.has_value();
}

void IssuerKeys::Read() {
  if (reads_ >= kMostReads) return;
  ++reads_;
  tried_ = loop_.Now();
  auto result = std::make_shared<Result>();
  work_.emplace(
      loop_,
      [fetch = fetch_, source = KeySource{issuer_.source, issuer_.authorities}, result] {
        result->text = fetch(source);
        result->keys = result->text.ok() ? crypto::JwkSet::FromJson(*result->text)
                                         : absl::StatusOr<crypto::JwkSet>(result->text.status());
      },
      [this, result] {
        work_.reset();
        --reads_;
        HandleRead(*result);
      });
}

void IssuerKeys::HandleRead(const Result& result) {
  if (!result.keys.ok()) {
    CULVERT_LOG(kWarning, "keys of issuer {} not read, the last ones count: {}",
                Printable(issuer_.issuer), Printable(MessageOf(result.keys.status())));
    return;
  }
  if (*result.text == text_) return;
  text_ = *result.text;
  keys_ = *result.keys;
  CULVERT_LOG(kInfo, "issuer {} has {} keys", Printable(issuer_.issuer), keys_.keys().size());
  on_keys_(*result.text);
}

}  // namespace culvert::broker
