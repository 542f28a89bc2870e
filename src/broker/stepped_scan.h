// Reads a range of projects in steps.
#pragma once

#include <utility>

#include "absl/functional/function_ref.h"
#include "broker/project_worker.h"
#include "store/project_table.h"

namespace culvert::broker {

// Of several steps each sees the table as it is then. Confined to one thread at a time.
class SteppedScan {
 public:
  enum class Result {
    kOver,     // there is nothing more
    kMore,     // in another step
    kStopped,  // by `visit`
  };

  // `range.most` is what one step looks at.
  explicit SteppedScan(store::ProjectRange range) : next_(std::move(range)) {}

  // Until `visit` returns false for a project, which then is the next one; at least one is visited,
  // and no further one once `end` has come.
  Result Step(store::ProjectTable& projects, StepEnd end,
              absl::FunctionRef<bool(store::Project)> visit);

  store::ProjectIndex index() const { return next_.index; }
  // Where the next step begins.
  const store::ProjectRange& next() const { return next_; }

 private:
  store::ProjectRange next_;
};

}  // namespace culvert::broker
