#include "broker/project_watch.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "broker/watch_tokens.h"

namespace culvert::broker {
namespace {

using google::protobuf::util::TimeUtil;
using ntt::proxies::v1::ListProjectsRequest;
using ntt::proxies::v1::WatchProjectsRequest;

absl::Status NotFor(std::string_view field, std::string_view type) {
  return absl::InvalidArgumentError(fmt::format("{} is not for {} watches", field, type));
}

absl::Status CheckFields(const WatchProjectsRequest& request, bool is_stateful) {
  if (is_stateful) {
    if (!request.resume_token().empty()) return NotFor("resume_token", "stateful");
    if (request.has_starting_time()) return NotFor("starting_time", "stateful");
    return absl::OkStatus();
  }
  if (request.page_size() != 0) return NotFor("page_size", "stateless");
  if (!request.page_token().empty()) return NotFor("page_token", "stateless");
  if (!request.order_by().empty()) return NotFor("order_by", "stateless");
  if (!request.resume_token().empty() && request.has_starting_time()) {
    return absl::InvalidArgumentError(
        "give a resume_token or a starting_time: both say where to begin");
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> ChunkSize(int32_t asked, bool is_stateful) {
  if (asked < 0) return absl::InvalidArgumentError("max_chunk_size is below 0");
  if (asked == 0) return static_cast<size_t>(is_stateful ? 0 : kDefaultChunk);
  return static_cast<size_t>(std::min(asked, kMostInChunk));
}

absl::StatusOr<WallTime> ParseStart(const google::protobuf::Timestamp& time) {
  const bool is_time = time.seconds() >= TimeUtil::kTimestampMinSeconds &&
                       time.seconds() <= TimeUtil::kTimestampMaxSeconds && time.nanos() >= 0 &&
                       time.nanos() < 1'000'000'000;
  if (!is_time) return absl::InvalidArgumentError("starting_time is not of the years 1 to 9999");
  // What a WallTime can hold; no project is of before or after.
  constexpr int64_t kMostMicros = 9'000'000'000'000'000;
  return WallTime(std::chrono::microseconds(
      std::clamp(TimeUtil::TimestampToMicroseconds(time), -kMostMicros, kMostMicros)));
}

}  // namespace

absl::StatusOr<resource::Mask> ParseWatchMask(const google::protobuf::FieldMask& mask,
                                              goten::types::View view) {
  const bool is_all = mask.paths().empty() && view != goten::types::NAME;
  if (!is_all && view != goten::types::FULL) view = goten::types::NAME;
  return resource::Mask::Parse(mask, view, *store::Project::descriptor());
}

absl::StatusOr<WatchQuestion> WatchQuestion::Parse(const WatchProjectsRequest& request,
                                                   ProjectScope scope,
                                                   const resource::PageTokens& tokens) {
  if (!goten::types::WatchType_IsValid(request.type())) {
    return absl::InvalidArgumentError("type: expected STATEFUL or STATELESS");
  }
  const bool is_stateful = request.type() == goten::types::STATEFUL;
  CULVERT_RETURN_IF_ERROR(CheckFields(request, is_stateful));
  ListProjectsRequest list;
  list.set_page_size(request.page_size());
  list.set_page_token(request.page_token());
  list.set_order_by(request.order_by());
  list.set_filter(request.filter());
  CULVERT_ASSIGN_OR_RETURN(ProjectQuestion projects,
                           ProjectQuestion::Parse(list, std::move(scope), tokens));
  CULVERT_ASSIGN_OR_RETURN(projects.mask, ParseWatchMask(request.field_mask(), request.view()));
  WatchQuestion question{.projects = std::move(projects), .is_stateful = is_stateful};
  CULVERT_ASSIGN_OR_RETURN(question.chunk, ChunkSize(request.max_chunk_size(), is_stateful));
  if (!request.resume_token().empty()) {
    CULVERT_ASSIGN_OR_RETURN(question.resume_after,
                             OpenResumeToken(request.resume_token(), question.projects, tokens));
  }
  if (request.has_starting_time()) {
    CULVERT_ASSIGN_OR_RETURN(question.starting_time, ParseStart(request.starting_time()));
  }
  return question;
}

}  // namespace culvert::broker
