#include "sdk/opening_queue.h"

#include <memory>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace culvert {
namespace {

using Place = OpeningQueue::Place;

// As many openings of one target as a test wants, and the order in which they were started.
struct Openings {
  OpeningQueue queue;
  std::vector<size_t> started;
  std::vector<std::unique_ptr<Place>> places;

  void Enter(const std::string& target) {
    const size_t number = places.size();
    places.push_back(
        std::make_unique<Place>(queue, target, [this, number] { started.push_back(number); }));
  }
  void Fill(const std::string& target) {
    for (size_t i = 0; i < OpeningQueue::kMaxPerTarget; ++i) Enter(target);
  }
};

TEST_CASE("OpeningQueue starts what there is room for at once", "[opening_queue]") {
  Openings openings;
  openings.Fill("a");
  CHECK(openings.started.size() == OpeningQueue::kMaxPerTarget);
  CHECK_FALSE(openings.places.back()->waits());
}

TEST_CASE("OpeningQueue starts the others in order as places are left", "[opening_queue]") {
  Openings openings;
  openings.Fill("a");
  const size_t first = openings.places.size();
  openings.Enter("a");
  openings.Enter("a");
  CHECK(openings.places[first]->waits());
  openings.places[5].reset();
  CHECK(openings.started.back() == first);
  CHECK(openings.places[first + 1]->waits());
  openings.places[first].reset();
  CHECK(openings.started.back() == first + 1);
}

TEST_CASE("OpeningQueue forgets an opening that leaves before its turn", "[opening_queue]") {
  Openings openings;
  openings.Fill("a");
  const size_t gone = openings.places.size();
  openings.Enter("a");
  openings.Enter("a");
  openings.places[gone].reset();
  openings.places[0].reset();
  CHECK(openings.started.back() == gone + 1);
}

TEST_CASE("OpeningQueue starts nothing that has stopped waiting", "[opening_queue]") {
  Openings openings;
  openings.Fill("a");
  openings.Enter("a");
  openings.places.back()->StopWaiting();
  CHECK_FALSE(openings.places.back()->waits());
  openings.places[0].reset();
  CHECK(openings.started.size() == OpeningQueue::kMaxPerTarget);
  openings.places[1]->StopWaiting();  // it is under way
  openings.Enter("a");
  CHECK_FALSE(openings.places.back()->waits());
}

TEST_CASE("OpeningQueue holds no target up because of another one", "[opening_queue]") {
  Openings openings;
  openings.Fill("a");
  openings.Enter("b");
  CHECK_FALSE(openings.places.back()->waits());
}

TEST_CASE("OpeningQueue keeps nothing of a target without openings", "[opening_queue]") {
  Openings openings;
  openings.Fill("a");
  openings.Enter("a");
  openings.places.clear();
  CHECK(openings.queue.targets() == 0);
}

}  // namespace
}  // namespace culvert
