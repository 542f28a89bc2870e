#include "broker/project_worker.h"

#include <atomic>
#include <optional>
#include <set>
#include <vector>

#include "net/event_loop.h"
#include "tests/unit/broker/project_fixture.h"

namespace culvert::broker {
namespace {

using store::Project;
using store::ProjectTable;

constexpr std::chrono::seconds kPatience{20};

struct ProjectWorkerFixture : ProjectFixture {
  absl::StatusOr<int64_t> Insert(ProjectTable& table, const std::string& id) const {
    if (table.Has(id)) return absl::AlreadyExistsError("it is there");
    Project project;
    project.set_name(store::ProjectName(id));
    table.Insert(project, now);
    return table.Version();
  }
  bool WaitUntil(const std::function<bool()>& holds) { return loop.RunUntil(holds, kPatience); }

  net::EventLoop loop;
  std::shared_ptr<void> alive = std::make_shared<char>();
  int changes = 0;
  std::optional<ProjectWorker> worker;
};

// Counts projects, a few in each step.
struct CountSearch final : ProjectSearch {
  absl::StatusOr<bool> Step(ProjectTable& table, StepEnd) override {
    ++steps;
    if (fails) return absl::InternalError("it fails");
    count = table.Count();
    return steps >= 3;
  }
  bool fails = false;
  int steps = 0;
  int64_t count = 0;
};

// Is never over.
struct EndlessSearch final : ProjectSearch {
  absl::StatusOr<bool> Step(ProjectTable&, StepEnd) override {
    ++steps;
    return false;
  }
  std::atomic<int> steps = 0;
};

struct HasSearch final : ProjectSearch {
  HasSearch(std::string wanted, bool& result) : id(std::move(wanted)), found(result) {}
  absl::StatusOr<bool> Step(ProjectTable& table, StepEnd) override {
    found = table.Has(id);
    return true;
  }
  const std::string id;
  bool& found;
};

TEST_CASE_METHOD(ProjectWorkerFixture, "ProjectWorker answers every write with its own result",
                 "[projects]") {
  worker.emplace(loop, std::move(projects), [this] { ++changes; });
  std::vector<absl::StatusOr<int64_t>> results;
  for (const char* id : {"a", "b", "a", "c"}) {
    REQUIRE(worker
                ->Write<int64_t>(
                    alive, [this, id](ProjectTable& table) { return Insert(table, id); },
                    [&](absl::StatusOr<int64_t> result) { results.push_back(std::move(result)); })
                .ok());
  }
  CHECK(results.empty());
  REQUIRE(WaitUntil([&] { return results.size() == 4; }));
  CHECK(*results[0] + 1 == *results[1]);
  CHECK(absl::IsAlreadyExists(results[2].status()));
  CHECK(*results[1] + 1 == *results[3]);
  CHECK(changes >= 1);
  CHECK(changes <= 2);  // the first write may go alone
}

TEST_CASE_METHOD(ProjectWorkerFixture, "ProjectWorker tells of changes before it answers",
                 "[projects]") {
  worker.emplace(loop, std::move(projects), [this] { ++changes; });
  std::optional<int> changes_at_answer;
  REQUIRE(worker
              ->Write<int64_t>(
                  alive, [this](ProjectTable& table) { return Insert(table, "a"); },
                  [&](const absl::StatusOr<int64_t>&) { changes_at_answer = changes; })
              .ok());
  REQUIRE(WaitUntil([&] { return changes_at_answer.has_value(); }));
  CHECK(*changes_at_answer == 1);
}

TEST_CASE_METHOD(ProjectWorkerFixture, "ProjectWorker steps searches in turns, with writes between",
                 "[projects]") {
  worker.emplace(loop, std::move(projects), [this] { ++changes; });
  auto first = std::make_shared<CountSearch>();
  auto second = std::make_shared<CountSearch>();
  std::set<CountSearch*> over;
  for (const auto& search : {first, second}) {
    REQUIRE(worker
                ->Run(alive, search,
                      [&over, search](const absl::Status& status) {
                        CHECK(status.ok());
                        over.insert(search.get());
                      })
                .ok());
  }
  REQUIRE(worker
              ->Write<int64_t>(
                  alive, [this](ProjectTable& table) { return Insert(table, "a"); },
                  [](const absl::StatusOr<int64_t>&) {})
              .ok());
  REQUIRE(WaitUntil([&] { return over.size() == 2; }));
  CHECK(first->steps == 3);
  CHECK(second->steps == 3);
  CHECK(first->count == 2);  // the last step saw the write
}

TEST_CASE_METHOD(ProjectWorkerFixture, "ProjectWorker ends a search that fails", "[projects]") {
  worker.emplace(loop, std::move(projects), [] {});
  auto search = std::make_shared<CountSearch>();
  search->fails = true;
  absl::Status told;
  REQUIRE(worker->Run(alive, search, [&](const absl::Status& status) { told = status; }).ok());
  REQUIRE(WaitUntil([&] { return !told.ok(); }));
  CHECK(search->steps == 1);
}

TEST_CASE_METHOD(ProjectWorkerFixture, "ProjectWorker works for nobody who is gone", "[projects]") {
  worker.emplace(loop, std::move(projects), [this] { ++changes; });
  auto endless = std::make_shared<EndlessSearch>();
  auto waiting = std::make_shared<char>();
  bool called = false;
  REQUIRE(worker->Run(waiting, endless, [&](const absl::Status&) { called = true; }).ok());
  REQUIRE(WaitUntil([&] { return endless->steps > 2; }));
  // A write is under way now, so that the second one waits.
  REQUIRE(worker
              ->Write<int64_t>(
                  alive, [this](ProjectTable& table) { return Insert(table, "a"); },
                  [](const absl::StatusOr<int64_t>&) {})
              .ok());
  REQUIRE(worker
              ->Write<int64_t>(
                  waiting, [this](ProjectTable& table) { return Insert(table, "b"); },
                  [&](const absl::StatusOr<int64_t>&) { called = true; })
              .ok());
  waiting.reset();
  std::optional<int64_t> last;
  REQUIRE(worker
              ->Write<int64_t>(
                  alive, [this](ProjectTable& table) { return Insert(table, "c"); },
                  [&](absl::StatusOr<int64_t> result) { last = result.value(); })
              .ok());
  REQUIRE(WaitUntil([&] { return last.has_value(); }));
  const int steps = endless->steps;
  CHECK_FALSE(called);
  bool found = true;
  auto look = std::make_shared<HasSearch>("b", found);
  bool is_over = false;
  REQUIRE(worker->Run(alive, look, [&](const absl::Status&) { is_over = true; }).ok());
  REQUIRE(WaitUntil([&] { return is_over; }));
  CHECK_FALSE(found);
  CHECK(endless->steps == steps);
}

TEST_CASE_METHOD(ProjectWorkerFixture, "ProjectWorker holds so much and no more", "[projects]") {
  worker.emplace(loop, std::move(projects), [] {});
  absl::Status refused;
  size_t taken = 0;
  while (refused.ok() && taken <= 2 * ProjectWorker::kMostWaiting) {
    refused = worker->Run(alive, std::make_shared<CountSearch>(), [](const absl::Status&) {});
    if (refused.ok()) ++taken;
  }
  CHECK(absl::IsResourceExhausted(refused));
  CHECK(taken >= ProjectWorker::kMostWaiting);
}

TEST_CASE_METHOD(ProjectWorkerFixture, "ProjectWorker calls nobody once it is gone", "[projects]") {
  worker.emplace(loop, std::move(projects), [this] { ++changes; });
  bool called = false;
  REQUIRE(worker
              ->Write<int64_t>(
                  alive, [this](ProjectTable& table) { return Insert(table, "a"); },
                  [&](const absl::StatusOr<int64_t>&) { called = true; })
              .ok());
  worker.reset();
  loop.RunUntil([&] { return called || changes > 0; }, std::chrono::milliseconds(200));
  CHECK_FALSE(called);
  CHECK(changes == 0);
}

}  // namespace
}  // namespace culvert::broker
