// Filters in tables, and which of the sample projects they match.
#pragma once

#include <initializer_list>
#include <string>

#include "resource/filter.h"
#include "tests/support/catch.h"
#include "tests/unit/resource/sample_projects.h"

namespace culvert::resource {

// The first letters of those of Lab, Bare, Dev and Edge that match.
inline std::string Matching(const std::string& text) {
  const auto filter = Filter::Parse(text, ProjectType());
  CAPTURE(text, filter.status().ToString());
  REQUIRE(filter.ok());
  std::string matching;
  if (filter->Matches(Lab())) matching += 'l';
  if (filter->Matches(Bare())) matching += 'b';
  if (filter->Matches(Dev())) matching += 'd';
  if (filter->Matches(Edge())) matching += 'e';
  return matching;
}

struct Row {
  const char* filter;
  const char* matching;
};

inline void CheckRows(std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    CAPTURE(row.filter);
    CHECK(Matching(row.filter) == row.matching);
  }
}

}  // namespace culvert::resource
