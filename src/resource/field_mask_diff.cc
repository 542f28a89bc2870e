// What differs between two states of a resource.
#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>

#include "resource/field_mask.h"

namespace culvert::resource {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::FieldMask;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

constexpr size_t kMostEntries = 16;

std::unique_ptr<Message> Trimmed(const Message& message, const Mask& mask) {
  std::unique_ptr<Message> copy(message.New());
  copy->CopyFrom(message);
  mask.Trim(copy.get());
  return copy;
}

bool Has(const Message& message, const FieldDescriptor& field) {
  return message.GetReflection()->HasField(message, &field);
}

bool IsSame(const Message& before, const Message& after, const FieldDescriptor& field) {
  if (field.has_presence() && Has(before, field) != Has(after, field)) return false;
  if (field.has_presence() && !Has(before, field)) return true;
  return MessageDifferencer().CompareWithFields(before, after, {&field}, {&field});
}

using Entries = std::map<std::string, const Message*>;

Entries EntriesOf(const Message& message, const FieldDescriptor& map) {
  Entries entries;
  const auto* reflection = message.GetReflection();
  for (int i = 0, size = reflection->FieldSize(message, &map); i < size; ++i) {
    const Message& entry = reflection->GetRepeatedMessage(message, &map, i);
    entries[EntryKey(entry)] = &entry;
  }
  return entries;
}

void DiffMap(const Message& before, const Message& after, const FieldDescriptor& map,
             const std::string& path, FieldMask* paths) {
  const Entries old_entries = EntriesOf(before, map);
  Entries changed = EntriesOf(after, map);
  for (const auto& [key, entry] : old_entries) {
    const auto [found, is_gone] = changed.try_emplace(key, entry);
    if (!is_gone && MessageDifferencer::Equals(*entry, *found->second)) changed.erase(found);
  }
  bool has_names = changed.size() <= kMostEntries;
  for (const auto& [key, entry] : changed) {
    has_names = has_names && !key.empty() && key.find('\\') == std::string::npos &&
                path.size() + 1 + key.size() <= FieldPath::kMostBytes;
  }
  if (!has_names) {
    paths->add_paths(path);
    return;
  }
  for (const auto& [key, entry] : changed) paths->add_paths(fmt::format("{}.{}", path, key));
}

// Whether all of the field at `path` is masked. Only a map's key could be mistaken for a field, and
// maps do not come here.
bool IsWhole(const Mask& mask, const std::string& path) {
  if (mask.is_everything()) return true;
  return std::any_of(mask.paths().begin(), mask.paths().end(), [&path](const FieldPath& masked) {
    const std::string& outer = masked.ToString();
    if (path.compare(0, outer.size(), outer) != 0) return false;
    return path.size() == outer.size() || path[outer.size()] == '.';
  });
}

void Diff(const Message& before, const Message& after, const std::string& prefix, const Mask& mask,
          FieldMask* paths) {
  const auto* type = before.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor& field = *type->field(i);
    const std::string path = prefix + field.name();
    const PathKind kind = KindOf(field);
    if (kind == PathKind::kMap) {
      DiffMap(before, after, field, path, paths);
      continue;
    }
    const bool has_parts = kind == PathKind::kMessage;
    // That a message came or went is more than that its parts did.
    const bool is_one = has_parts && Has(before, field) != Has(after, field) && IsWhole(mask, path);
    if (has_parts && !is_one) {
      if (!Has(before, field) && !Has(after, field)) continue;
      Diff(before.GetReflection()->GetMessage(before, &field),
           after.GetReflection()->GetMessage(after, &field), path + ".", mask, paths);
    } else if (!IsSame(before, after, field)) {
      paths->add_paths(path);
    }
  }
}

}  // namespace

bool Mask::Changed(const Message& before, const Message& after) const {
  if (is_everything_) return !MessageDifferencer::Equals(before, after);
  return !MessageDifferencer::Equals(*Trimmed(before, *this), *Trimmed(after, *this));
}

FieldMask Mask::DiffPaths(const Message& before, const Message& after) const {
  FieldMask paths;
  Diff(*Trimmed(before, *this), *Trimmed(after, *this), "", *this, &paths);
  return paths;
}

}  // namespace culvert::resource
