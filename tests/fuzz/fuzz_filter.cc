// Filters as clients send them: no crash, and what parses is written out as what parses to the same
// filter and matches the same. The input is a filter, and behind a zero byte a resource.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "ntt/proxies/v1/project.pb.h"
#include "resource/filter.h"

using culvert::resource::Filter;
using ntt::proxies::v1::Project;

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  const std::string_view text = input.substr(0, end);
  const auto filter = Filter::Parse(text, *Project::descriptor());
  if (!filter.ok()) {
    CULVERT_CHECK(absl::IsInvalidArgument(filter.status()));
    return 0;
  }
  CULVERT_CHECK(text.size() <= Filter::kMostBytes);
  const auto again = Filter::Parse(filter->ToString(), *Project::descriptor());
  CULVERT_CHECK(again.ok());
  CULVERT_CHECK(*again == *filter);
  CULVERT_CHECK(again->ToString() == filter->ToString());
  Project project;
  if (end != std::string_view::npos) {
    const std::string_view rest = input.substr(end + 1);
    if (!project.ParsePartialFromArray(rest.data(), static_cast<int>(rest.size()))) return 0;
  }
  const bool matches = filter->Matches(project);
  CULVERT_CHECK(again->Matches(project) == matches);
  // Whatever matches meets what an index was asked for.
  for (const auto& comparison : filter->conjuncts()) {
    CULVERT_CHECK(!matches || culvert::resource::MatchesComparison(comparison, project));
  }
  return 0;
}
