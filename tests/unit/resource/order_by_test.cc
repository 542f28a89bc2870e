#include "resource/order_by.h"

#include <google/protobuf/wrappers.pb.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/status.h"
#include "tests/support/catch.h"
#include "tests/unit/resource/sample_projects.h"

namespace culvert::resource {
namespace {

TEST_CASE("OrderBy ends with the name, in the direction of what is before it", "[order_by]") {
  const auto [text, spelling] = GENERATE(table<std::string, std::string>({
      {"", "name"},
      {"  ", "name"},
      {"name", "name"},
      {"name desc", "name desc"},
      {"Name DESC", "name desc"},
      {"metadata.createTime", "metadata.create_time, name"},
      {"metadata.create_time asc", "metadata.create_time, name"},
      {"metadata.create_time desc", "metadata.create_time desc, name desc"},
      {" metadata.uuid\tDesc ,metadata.generation Asc ",
       "metadata.uuid desc, metadata.generation, name"},
      {"name desc, metadata.uuid", "name desc, metadata.uuid"},
      {"metadata.labels.env desc,metadata.shards.s",
       "metadata.labels.env desc, metadata.shards.s, name"},
      {"metadata.lifecycle.block_deletion", "metadata.lifecycle.block_deletion, name"},
  }));
  const auto order = OrderBy::Parse(text, ProjectType());
  CAPTURE(text, order.status().ToString());
  REQUIRE(order.ok());
  CHECK(order->ToString() == spelling);
  CHECK(*OrderBy::Parse(spelling, ProjectType()) == *order);
}

TEST_CASE("OrderBy says what it does not understand", "[order_by]") {
  std::string nine = "metadata.uuid";
  for (int i = 0; i < 8; ++i) nine += ",metadata.uuid";
  const auto [text, message] = GENERATE_COPY(table<std::string, std::string>({
      {",", "a field path is missing"},
      {"name,", "a field path is missing"},
      {",name", "a field path is missing"},
      {"name,,metadata.uuid", "a field path is missing"},
      {"name up", "write a field path, then asc or desc"},
      {"name asc desc", "write a field path, then asc or desc"},
      {"name desc metadata.uuid", "write a field path, then asc or desc"},
      {"desc", "order_by: field path 'desc'"},
      {"metadata.nothing", "has no field 'nothing'"},
      {"metadata", "has no order"},
      {"metadata.tags", "has no order"},
      {"metadata.labels desc", "has no order"},
      {"metadata.owner_references", "has no order"},
      {nine, "more than 8 fields"},
      {nine + ",name", "more than 8 fields"},
      {std::string(2049, ' '), "more than 2048 bytes"},
  }));
  const auto order = OrderBy::Parse(text, ProjectType());
  CAPTURE(text, order.status().ToString());
  REQUIRE(absl::IsInvalidArgument(order.status()));
  CHECK(std::string(MessageOf(order.status())).find(message) != std::string::npos);
}

TEST_CASE("OrderBy takes eight fields beside the name", "[order_by]") {
  std::string eight = "metadata.uuid desc";
  for (int i = 0; i < 7; ++i) eight += ",metadata.uuid";
  const auto order = OrderBy::Parse(eight, ProjectType());
  REQUIRE(order.ok());
  CHECK(order->fields().size() == 9);
  CHECK(OrderBy::Parse(order->ToString(), ProjectType()).ok());
}

// What Key says by bytes, said by values.
int Sign(const OrderBy& order, const Project& a, const Project& b) {
  for (const SortField& field : order.fields()) {
    const Value x = field.path.Read(a);
    const Value y = field.path.Read(b);
    int sign = static_cast<int>(IsNull(y)) - static_cast<int>(IsNull(x));
    if (!IsNull(x) && !IsNull(y)) {
      const auto compared = Compare(x, y);
      REQUIRE((compared != std::partial_ordering::unordered));
      sign = compared < 0 ? -1 : compared > 0 ? 1 : 0;
    }
    if (sign != 0) return field.direction == SortDirection::kDescending ? -sign : sign;
  }
  return 0;
}

int Sign(const std::string& a, const std::string& b) {
  const int order = a.compare(b);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

TEST_CASE("Keys of OrderBy compare as the values do", "[order_by]") {
  const std::string text = GENERATE(
      "", "name desc", "metadata.uuid", "metadata.uuid desc", "metadata.generation desc",
      "metadata.create_time, metadata.uuid desc", "metadata.labels.env, metadata.shards.s desc",
      "metadata.labels.env desc, metadata.create_time desc, metadata.uuid",
      "metadata.uuid, metadata.labels.env desc, name desc",
      "metadata.lifecycle.state desc, metadata.lifecycle.block_deletion, metadata.generation");
  const auto order = OrderBy::Parse(text, ProjectType());
  REQUIRE(order.ok());
  std::mt19937 random(3);
  for (int i = 0; i < 3000; ++i) {
    const Project a = RandomProject(&random);
    const Project b = RandomProject(&random);
    CAPTURE(text, a.ShortDebugString(), b.ShortDebugString());
    REQUIRE(Sign(order->Key(a), order->Key(b)) == Sign(*order, a, b));
  }
}

TEST_CASE("Keys of OrderBy have doubles in their order", "[order_by]") {
  using google::protobuf::DoubleValue;
  const auto key = [](double value) {
    DoubleValue number;
    number.set_value(value);
    return OrderBy::Parse("value", *DoubleValue::descriptor())->Key(number);
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double ascending[] = {-kInfinity, -1e300, -2, -1, -5e-324, 0, 5e-324, 1, 1.5, kInfinity};
  for (size_t i = 1; i < std::size(ascending); ++i) {
    CAPTURE(ascending[i]);
    CHECK(key(ascending[i - 1]) < key(ascending[i]));
  }
  CHECK(key(-0.0) == key(0));
  CHECK(key(kInfinity) < key(std::nan("")));
  CHECK(key(std::nan("")) == key(-std::nan("")));
}

TEST_CASE("OrderBy has what is not set first, or last if descending", "[order_by]") {
  const auto sorted = [](const std::string& text) {
    std::vector<Project> projects = {Lab(), Bare(), Dev(), Edge()};
    const OrderBy order = *OrderBy::Parse(text, ProjectType());
    std::sort(projects.begin(), projects.end(),
              [&order](const Project& a, const Project& b) { return order.Key(a) < order.Key(b); });
    std::string letters;
    for (const Project& project : projects) letters += project.name()[9];
    return letters;
  };
  CHECK(sorted("") == "bdel");
  CHECK(sorted("name desc") == "ledb");
  CHECK(sorted("metadata.create_time") == "bedl");
  CHECK(sorted("metadata.create_time desc") == "ldeb");
  CHECK(sorted("metadata.generation") == "bdel");
  CHECK(sorted("metadata.labels.env, name desc") == "ebdl");
}

TEST_CASE("Keys of OrderBy are short", "[order_by]") {
  std::string eight = "metadata.labels.a";
  for (const char c : std::string("bcdefgh")) eight += std::string(",metadata.labels.") + c;
  const OrderBy order = *OrderBy::Parse(eight, ProjectType());
  Project project;
  project.set_name("projects/" + std::string(128, 'x'));
  for (const char c : std::string("abcdefgh")) {
    (*project.mutable_metadata()->mutable_labels())[std::string(1, c)] = std::string(5000, '\0');
  }
  const std::string key = order.Key(project);
  CHECK(key.size() < 2300);
  // The name is the tie-break, so it counts as a whole.
  Project other = project;
  other.mutable_name()->back() = 'y';
  CHECK(key < order.Key(other));
  (*project.mutable_metadata()->mutable_labels())["a"] += "x";
  CHECK(order.Key(project) == key);
}

}  // namespace
}  // namespace culvert::resource
