// Compares the compiled descriptors with the tables of what is on the wire, in both directions:
// both sides are sets of lines in the format that facts.txt explains.
#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "goten/types/label_selector.pb.h"
#include "goten/types/meta.pb.h"
#include "goten/types/multi_region_policy.pb.h"
#include "goten/types/view.pb.h"
#include "goten/types/watch_type.pb.h"
#include "ntt/proxies/v1/broker.pb.h"
#include "ntt/proxies/v1/project.pb.h"
#include "ntt/proxies/v1/project_change.pb.h"
#include "ntt/proxies/v1/project_service.pb.h"
#include "ntt/proxies/v1alpha2/broker.pb.h"
#include "ntt/proxies/v1alpha2/project.pb.h"
#include "ntt/proxies/v1alpha2/project_change.pb.h"
#include "ntt/proxies/v1alpha2/project_service.pb.h"
#include "tests/support/catch.h"

namespace {

namespace pb = google::protobuf;
namespace v1 = ntt::proxies::v1;
namespace v1alpha2 = ntt::proxies::v1alpha2;
using Lines = std::set<std::string>;

constexpr int kFirstAddition = 100;

std::vector<const pb::FileDescriptor*> PublicFiles() {
  return {goten::types::LabelSelector::descriptor()->file(),
          goten::types::Meta::descriptor()->file(),
          goten::types::MultiRegionPolicy::descriptor()->file(),
          goten::types::View_descriptor()->file(),
          goten::types::WatchType_descriptor()->file(),
          v1::Data::descriptor()->file(),
          v1::Project::descriptor()->file(),
          v1::ProjectChange::descriptor()->file(),
          v1::GetProjectRequest::descriptor()->file(),
          v1alpha2::Data::descriptor()->file(),
          v1alpha2::Project::descriptor()->file(),
          v1alpha2::ProjectChange::descriptor()->file(),
          v1alpha2::GetProjectRequest::descriptor()->file()};
}

std::string TypeOf(const pb::FieldDescriptor& field) {
  if (field.message_type() != nullptr) return field.message_type()->full_name();
  if (field.enum_type() != nullptr) return field.enum_type()->full_name();
  return field.type_name();
}

std::string LabelOf(const pb::FieldDescriptor& field) {
  if (field.is_map()) return "map";
  if (field.is_repeated()) return "repeated";
  return field.is_required() || field.has_optional_keyword() ? "presence" : "single";
}

std::string LineOf(const pb::FieldDescriptor& field) {
  const pb::OneofDescriptor* oneof = field.containing_oneof();
  return fmt::format("field {} {} {} {} {} {}", field.containing_type()->full_name(), field.name(),
                     field.number(), TypeOf(field), LabelOf(field),
                     oneof == nullptr ? "-" : oneof->name());
}

std::string LineOf(const pb::MethodDescriptor& method) {
  const auto kind = [](bool streaming) { return streaming ? "stream" : "single"; };
  return fmt::format("method {} {} {} {} {} {}", method.service()->full_name(), method.name(),
                     kind(method.client_streaming()), method.input_type()->full_name(),
                     kind(method.server_streaming()), method.output_type()->full_name());
}

// What the compiled descriptors say, apart by field number.
struct Compiled {
  Lines facts;
  Lines additions;

  void Add(const pb::EnumDescriptor& type) {
    for (int i = 0; i < type.value_count(); ++i) {
      const pb::EnumValueDescriptor& value = *type.value(i);
      facts.insert(fmt::format("enum {} {} {}", type.full_name(), value.name(), value.number()));
    }
  }

  void Add(const pb::Descriptor& type) {
    facts.insert("message " + type.full_name());
    for (int i = 0; i < type.field_count(); ++i) {
      const pb::FieldDescriptor& field = *type.field(i);
      (field.number() < kFirstAddition ? facts : additions).insert(LineOf(field));
    }
    for (int i = 0; i < type.enum_type_count(); ++i) Add(*type.enum_type(i));
    for (int i = 0; i < type.nested_type_count(); ++i) Add(*type.nested_type(i));
  }

  void Add(const pb::ServiceDescriptor& service) {
    for (int i = 0; i < service.method_count(); ++i) facts.insert(LineOf(*service.method(i)));
  }

  void Add(const pb::FileDescriptor& file) {
    for (int i = 0; i < file.enum_type_count(); ++i) Add(*file.enum_type(i));
    for (int i = 0; i < file.message_type_count(); ++i) Add(*file.message_type(i));
    for (int i = 0; i < file.service_count(); ++i) Add(*file.service(i));
  }
};

Compiled Compile() {
  Compiled compiled;
  for (const pb::FileDescriptor* file : PublicFiles()) compiled.Add(*file);
  return compiled;
}

Lines ReadTable(const char* path) {
  std::ifstream in(path);
  REQUIRE(in.is_open());
  Lines lines;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line[0] != '#') lines.insert(line);
  }
  return lines;
}

Lines Minus(const Lines& left, const Lines& right) {
  Lines rest;
  std::set_difference(left.begin(), left.end(), right.begin(), right.end(),
                      std::inserter(rest, rest.end()));
  return rest;
}

// The lines about one version, with the version taken out of every name.
Lines OfVersion(const Lines& lines, std::string_view package) {
  Lines chosen;
  for (std::string line : lines) {
    size_t at = line.find(package);
    if (at == std::string::npos) continue;
    for (; at != std::string::npos; at = line.find(package, at)) {
      line.replace(at, package.size(), "PACKAGE.");
    }
    chosen.insert(line);
  }
  return chosen;
}

}  // namespace

TEST_CASE("Every public fact is compiled as the table has it", "[proto]") {
  const Lines table = ReadTable(CULVERT_PROTO_FACTS);
  REQUIRE(table.size() > 500);
  CHECK(Minus(table, Compile().facts) == Lines{});
}

TEST_CASE("What the public messages have beyond the table is numbered 100 and above", "[proto]") {
  CHECK(Minus(Compile().facts, ReadTable(CULVERT_PROTO_FACTS)) == Lines{});
}

TEST_CASE("The additions to version 1 are those of their table, number by number", "[proto]") {
  const Lines table = ReadTable(CULVERT_PROTO_ADDITIONS);
  Lines compiled;
  for (const std::string& line : Compile().additions) {
    if (line.find(" ntt.proxies.v1alpha2.") == std::string::npos) compiled.insert(line);
  }
  CHECK(Minus(table, compiled) == Lines{});
  CHECK(Minus(compiled, table) == Lines{});
}

TEST_CASE("Version 1alpha2 has nothing that version 1 lacks", "[proto]") {
  const Compiled compiled = Compile();
  const Lines older = OfVersion(compiled.facts, "ntt.proxies.v1alpha2.");
  REQUIRE_FALSE(older.empty());
  CHECK(Minus(older, OfVersion(compiled.facts, "ntt.proxies.v1.")) == Lines{});
}

TEST_CASE("Both versions have the same additions", "[proto]") {
  const Compiled compiled = Compile();
  const Lines older = OfVersion(compiled.additions, "ntt.proxies.v1alpha2.");
  REQUIRE_FALSE(older.empty());
  const Lines newer = OfVersion(compiled.additions, "ntt.proxies.v1.");
  CHECK(Minus(older, newer) == Lines{});
  CHECK(Minus(newer, older) == Lines{});
}
