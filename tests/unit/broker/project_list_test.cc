#include "broker/project_list.h"

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include "tests/unit/broker/project_fixture.h"

namespace culvert::broker {
namespace {

using ntt::proxies::v1::ListProjectsRequest;
using ntt::proxies::v1::ListProjectsResponse;
using store::Project;
using store::ProjectTable;

using Names = std::vector<std::string>;

struct ProjectListFixture : ProjectFixture {
  // `number` projects whose region, generation and times say little about their names.
  void Fill(int number) {
    std::minstd_rand random(7);
    Write([&](ProjectTable& table) {
      for (int i = 0; i < number; ++i) {
        Project project;
        project.set_name(fmt::format("projects/p{}", (i * 7919) % 10'007));
        project.mutable_multi_region_policy()->set_default_control_region(
            fmt::format("r{}", random() % 5));
        (*project.mutable_metadata()->mutable_labels())["n"] = std::to_string(random() % 3);
        table.Insert(project, now + std::chrono::milliseconds(random() % 50));
      }
      return true;
    });
  }

  absl::StatusOr<ListProjectsResponse> List(const ListProjectsRequest& request,
                                            const std::string& only = "") {
    ProjectScope scope;
    if (!only.empty()) scope.only = only;
    CULVERT_ASSIGN_OR_RETURN(ProjectQuestion question,
                             ProjectQuestion::Parse(request, scope, tokens));
    const auto search = PageSearch::Make(std::move(question));
    for (int step = 0; step < 100; ++step) {
      absl::StatusOr<bool> over = Write([&](ProjectTable& table) { return search->Step(table); });
      if (!over.ok()) return over.status();
      if (*over) return ListAnswer(search->question(), search->TakePage(), tokens);
    }
    return absl::InternalError("does not end");
  }
  ListProjectsResponse MustList(const ListProjectsRequest& request) {
    auto response = List(request);
    INFO(response.status().ToString());
    REQUIRE(response.ok());
    return *std::move(response);
  }
  static Names NamesIn(const ListProjectsResponse& response) {
    Names names;
    for (const Project& project : response.projects()) names.push_back(project.name());
    return names;
  }
  // What a list is to be, computed in another way.
  Names Expected(const std::function<bool(const Project&)>& matches,
                 const std::function<bool(const Project&, const Project&)>& before) {
    std::vector<Project> all;
    Write([&](ProjectTable& table) {
      table.Scan({.most = 100'000}, [&](Project project) {
        if (matches(project)) all.push_back(std::move(project));
        return true;
      });
      return true;
    });
    std::sort(all.begin(), all.end(), before);
    Names names;
    for (const Project& project : all) names.push_back(project.name());
    return names;
  }

  resource::PageTokens tokens{std::string(32, 'k')};
};

int64_t MicrosOf(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1'000'000 + time.nanos() / 1'000;
}

TEST_CASE_METHOD(ProjectListFixture, "A filter that an index can use leaves the same projects",
                 "[projects]") {
  Fill(2'500);
  const auto of_name = [](auto matches) {
    return [matches](const Project& project) { return matches(project.name()); };
  };
  struct Row {
    std::string filter;
    std::function<bool(const Project&)> matches;
  };
  const auto row = GENERATE_COPY(values<Row>({
      {R"(name = "projects/p7919")", of_name([](auto& name) { return name == "projects/p7919"; })},
      {R"(name IN ("projects/p7919", "projects/none", "projects/default", "other/x"))",
       of_name([](auto& name) { return name == "projects/p7919" || name == "projects/default"; })},
      {R"(name = "other/p7919")", of_name([](auto&) { return false; })},
      {R"(name = "projects/p7919" AND name = "projects/default")",
       of_name([](auto&) { return false; })},
      {R"(name = "projects/p7919" OR name = "projects/default")",
       of_name([](auto& name) { return name == "projects/p7919" || name == "projects/default"; })},
      {R"(NOT name = "projects/p7919")",
       of_name([](auto& name) { return name != "projects/p7919"; })},
      {R"(name > "projects/p5" AND name <= "projects/p6")",
       of_name([](auto& name) { return name > "projects/p5" && name <= "projects/p6"; })},
      {R"(name LIKE "projects/p12%")",
       of_name([](auto& name) { return name.starts_with("projects/p12"); })},
      {R"(name LIKE "%12")", of_name([](auto& name) { return name.ends_with("12"); })},
      {R"(name LIKE "projects/p_12" AND metadata.labels.n IS NOT NULL)", of_name([](auto& name) {
         return name.size() == 13 && name.starts_with("projects/p") && name.ends_with("12");
       })},
      {R"(metadata.create_time > "2023-11-14T22:13:20.010Z" AND metadata.create_time <= "2023-11-14T22:13:20.0200005Z")",
       [](const Project& project) {
         const int64_t micros = MicrosOf(project.metadata().create_time()) - 1'700'000'000'000'000;
         return micros > 10'000 && micros <= 20'000;
       }},
      {R"(metadata.update_time = "2023-11-14T22:13:20.010Z")",
       [](const Project& project) {
         return MicrosOf(project.metadata().update_time()) == 1'700'000'000'010'000;
       }},
      {R"(metadata.create_time < "0001-01-01T00:00:00Z")", [](const Project&) { return false; }},
  }));
  CAPTURE(row.filter);
  for (const std::string order_by : {"", "name desc", "metadata.update_time",
                                     "metadata.create_time desc", "metadata.labels.n"}) {
    CAPTURE(order_by);
    ListProjectsRequest request;
    request.set_filter(row.filter);
    request.set_order_by(order_by);
    request.set_page_size(300);
    Names found;
    do {
      const ListProjectsResponse response = MustList(request);
      const Names page = NamesIn(response);
      found.insert(found.end(), page.begin(), page.end());
      request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    std::sort(found.begin(), found.end());
    CHECK(found == Expected(row.matches, [](const Project& a, const Project& b) {
            return a.name() < b.name();
          }));
  }
}

TEST_CASE_METHOD(ProjectListFixture, "A filter on the name of one project looks at no other",
                 "[projects]") {
  Fill(2'500);
  ListProjectsRequest request;
  request.set_filter(R"(name = "projects/p7919" AND metadata.labels.n IS NOT NULL)");
  request.set_order_by("metadata.labels.n");
  request.set_include_paging_info(true);
  const auto search = PageSearch::Make(*ProjectQuestion::Parse(request, {}, tokens));
  // Of all there are two steps.
  CHECK(Write([&](ProjectTable& table) { return search->Step(table); }).value());
  CHECK(search->TakePage().total == 1);
}

TEST_CASE_METHOD(ProjectListFixture, "ListProjects pages through all in any order, both ways",
                 "[projects]") {
  Fill(4500);  // more than a search's step
  struct Row {
    std::string order_by;
    std::function<bool(const Project&, const Project&)> before;
  };
  const auto by_name = [](const Project& a, const Project& b) { return a.name() < b.name(); };
  const auto row = GENERATE_COPY(values<Row>({
      {"", by_name},
      {"name desc", [](const Project& a, const Project& b) { return a.name() > b.name(); }},
      {"metadata.create_time",
       [](const Project& a, const Project& b) {
         return std::pair(MicrosOf(a.metadata().create_time()), a.name()) <
                std::pair(MicrosOf(b.metadata().create_time()), b.name());
       }},
      {"metadata.updateTime DESC",
       [](const Project& a, const Project& b) {
         return std::pair(MicrosOf(a.metadata().update_time()), a.name()) >
                std::pair(MicrosOf(b.metadata().update_time()), b.name());
       }},
      {"metadata.create_time desc, name asc",
       [](const Project& a, const Project& b) {
         return std::pair(-MicrosOf(a.metadata().create_time()), a.name()) <
                std::pair(-MicrosOf(b.metadata().create_time()), b.name());
       }},
      {"multi_region_policy.default_control_region desc",
       [](const Project& a, const Project& b) {
         return std::pair(a.multi_region_policy().default_control_region(), a.name()) >
                std::pair(b.multi_region_policy().default_control_region(), b.name());
       }},
  }));
  const bool filtered = GENERATE(false, true);
  const auto matches = [filtered](const Project& project) {
    const auto& labels = project.metadata().labels();
    return !filtered || (labels.contains("n") && labels.at("n") == "1");
  };
  CAPTURE(row.order_by, filtered);
  const Names expected = Expected(matches, row.before);

  ListProjectsRequest request;
  request.set_order_by(row.order_by);
  if (filtered) request.set_filter("metadata.labels.n = \"1\"");
  request.set_page_size(997);
  request.set_include_paging_info(true);
  Names found;
  std::vector<Names> pages;
  std::string last_prev;
  for (int page = 0; page < 10; ++page) {
    const ListProjectsResponse response = MustList(request);
    CHECK(response.total_results_count() == static_cast<int>(expected.size()));
    CHECK(response.current_offset() == static_cast<int>(found.size()));
    CHECK(response.prev_page_token().empty() == pages.empty());
    pages.push_back(NamesIn(response));
    found.insert(found.end(), pages.back().begin(), pages.back().end());
    last_prev = response.prev_page_token();
    if (response.next_page_token().empty()) break;
    request.set_page_token(response.next_page_token());
  }
  CHECK(found == expected);

  // And back.
  for (size_t page = pages.size() - 1; page-- > 0;) {
    request.set_page_token(last_prev);
    const ListProjectsResponse response = MustList(request);
    CHECK(NamesIn(response) == pages[page]);
    CHECK(response.current_offset() == static_cast<int>(997 * page));
    CHECK_FALSE(response.next_page_token().empty());
    last_prev = response.prev_page_token();
    if (page == 0) CHECK(last_prev.empty());
  }
}

TEST_CASE_METHOD(ProjectListFixture, "ListProjects neither repeats nor misses what stays",
                 "[projects]") {
  Fill(300);
  const std::string order_by =
      GENERATE("", "metadata.create_time desc", "multi_region_policy.default_control_region");
  CAPTURE(order_by);
  const Names stay =
      Expected([](const Project& project) { return project.name().back() != '3'; },
               [](const Project& a, const Project& b) { return a.name() < b.name(); });
  ListProjectsRequest request;
  request.set_order_by(order_by);
  request.set_page_size(7);
  Names found;
  int made = 0;
  while (true) {
    const ListProjectsResponse response = MustList(request);
    for (const std::string& name : NamesIn(response)) found.push_back(name);
    if (response.next_page_token().empty()) break;
    request.set_page_token(response.next_page_token());
    // One comes, and the next one that may go does, the border of the page among them.
    Write([&](ProjectTable& table) {
      Project project;
      project.set_name(fmt::format("projects/new{}3", made++));
      table.Insert(project, now + std::chrono::milliseconds(made % 50));
      std::optional<Project> goes;
      table.Scan({.most = 1000}, [&](Project candidate) {
        if (candidate.name().back() == '3' && !candidate.name().starts_with("projects/new")) {
          goes = std::move(candidate);
        }
        return !goes;
      });
      if (goes) table.Remove(*goes, now);
      return true;
    });
  }
  Names kept;
  std::copy_if(found.begin(), found.end(), std::back_inserter(kept),
               [](const std::string& name) { return name.back() != '3'; });
  std::sort(kept.begin(), kept.end());
  CHECK(kept == stay);
  std::sort(found.begin(), found.end());
  CHECK(std::adjacent_find(found.begin(), found.end()) == found.end());
}

TEST_CASE_METHOD(ProjectListFixture, "ListProjects has default and largest pages", "[projects]") {
  Fill(1100);
  ListProjectsRequest request;
  CHECK(MustList(request).projects_size() == 100);
  request.set_page_size(5000);
  CHECK(MustList(request).projects_size() == 1000);
  request.set_page_size(-1);
  CHECK(absl::IsInvalidArgument(List(request).status()));
}

TEST_CASE_METHOD(ProjectListFixture, "ListProjects has shorter pages where projects are large",
                 "[projects]") {
  Write([&](ProjectTable& table) {
    for (int i = 0; i < 120; ++i) {
      Project project;
      project.set_name(fmt::format("projects/big{:03}", i));
      (*project.mutable_metadata()->mutable_annotations())["a"] = std::string(60'000, 'x');
      table.Insert(project, now);
    }
    return true;
  });
  ListProjectsRequest request;
  request.set_order_by(GENERATE("name", "metadata.generation"));  // with an index and without
  request.set_page_size(1000);
  Names found;
  int pages = 0;
  while (++pages < 10) {
    const ListProjectsResponse response = MustList(request);
    CHECK(response.ByteSizeLong() < kMostAnswerBytes + 100'000);
    for (const std::string& name : NamesIn(response)) found.push_back(name);
    if (response.next_page_token().empty()) break;
    request.set_page_token(response.next_page_token());
  }
  CHECK(pages == 3);
  CHECK(found.size() == 121);
  CHECK(std::is_sorted(found.begin(), found.end()));
}

TEST_CASE_METHOD(ProjectListFixture, "ListProjects shows who may see one no other", "[projects]") {
  Fill(50);
  ListProjectsRequest request;
  request.set_include_paging_info(true);
  const auto response = List(request, "default");
  REQUIRE(response.ok());
  CHECK(NamesIn(*response) == Names{"projects/default"});
  CHECK(response->total_results_count() == 1);
  CHECK(response->next_page_token().empty());
}

TEST_CASE_METHOD(ProjectListFixture, "ListProjects refuses the token of another list",
                 "[projects]") {
  Fill(50);
  ListProjectsRequest request;
  request.set_page_size(3);
  request.set_page_token(MustList(request).next_page_token());
  CHECK(List(request).ok());
  request.set_filter("name != \"projects/x\"");
  CHECK(absl::IsInvalidArgument(List(request).status()));
  request.clear_filter();
  request.set_order_by("name desc");
  CHECK(absl::IsInvalidArgument(List(request).status()));
  request.clear_order_by();
  request.set_page_token("r.e.O.3");
  CHECK(absl::IsInvalidArgument(List(request).status()));
}

TEST_CASE_METHOD(ProjectListFixture, "ListProjects returns the fields that are asked for",
                 "[projects]") {
  Fill(3);
  ListProjectsRequest request;
  request.set_view(goten::types::NAME);
  request.mutable_field_mask()->add_paths("metadata.labels");
  const ListProjectsResponse response = MustList(request);
  for (const Project& project : response.projects()) {
    CHECK_FALSE(project.name().empty());
    CHECK_FALSE(project.has_multi_region_policy());
    CHECK(project.metadata().uuid().empty());
    CHECK(project.metadata().labels().empty() == (project.name() == "projects/default"));
  }
}

}  // namespace
}  // namespace culvert::broker
