#include "broker/project_place.h"

#include <google/protobuf/util/time_util.h>

#include <chrono>
#include <cstdint>

namespace culvert::broker {
namespace {

using store::ProjectIndex;
using store::ProjectPlace;

constexpr size_t kTimeBytes = 8;
constexpr uint64_t kSign = uint64_t{1} << 63;  // so that times before 1970 come first

}  // namespace

std::string PlaceKey(ProjectIndex index, const store::Project& project) {
  std::string key;
  if (index != ProjectIndex::kName) {
    const goten::types::Meta& metadata = project.metadata();
    const auto micros =
        static_cast<uint64_t>(google::protobuf::util::TimeUtil::TimestampToMicroseconds(
            index == ProjectIndex::kCreateTime ? metadata.create_time() : metadata.update_time())) ^
        kSign;
    for (size_t i = 0; i < kTimeBytes; ++i) {
      key += static_cast<char>(micros >> (8 * (kTimeBytes - 1 - i)) & 0xff);
    }
  }
  return key + store::ProjectId(project);
}

ProjectPlace PlaceOf(ProjectIndex index, const store::Project& project) {
  return *PlaceOfKey(index, PlaceKey(index, project));
}

std::optional<ProjectPlace> PlaceOfKey(ProjectIndex index, std::string_view key) {
  ProjectPlace place;
  if (index != ProjectIndex::kName) {
    if (key.size() < kTimeBytes) return std::nullopt;
    uint64_t micros = 0;
    for (const char byte : key.substr(0, kTimeBytes)) {
      micros = micros << 8 | static_cast<uint8_t>(byte);
    }
    place.time = WallTime(std::chrono::microseconds(static_cast<int64_t>(micros ^ kSign)));
    key.remove_prefix(kTimeBytes);
  }
  if (key.empty()) return std::nullopt;
  place.id = std::string(key);
  return place;
}

}  // namespace culvert::broker
