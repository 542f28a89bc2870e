#include "broker/stepped_scan.h"

#include <optional>

#include "broker/project_place.h"

namespace culvert::broker {

SteppedScan::Result SteppedScan::Step(store::ProjectTable& projects, StepEnd end,
                                      absl::FunctionRef<bool(store::Project)> visit) {
  size_t visited = 0;
  std::optional<Result> result;
  std::optional<store::ProjectPlace> last;
  projects.Scan(next_, [&](store::Project project) {
    if (visited > 0 && end.HasCome()) {
      result = Result::kMore;
      return false;
    }
    store::ProjectPlace place = PlaceOf(next_.index, project);
    if (!visit(std::move(project))) {
      result = Result::kStopped;
      return false;
    }
    ++visited;
    last = std::move(place);
    return true;
  });
  if (last) {
    next_.from = std::move(last);
    next_.including_from = false;
  }
  if (result) return *result;
  return visited == next_.most ? Result::kMore : Result::kOver;
}

}  // namespace culvert::broker
