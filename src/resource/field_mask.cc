#include "resource/field_mask.h"

#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "base/status.h"

namespace culvert::resource {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FieldMask;
using google::protobuf::Message;
using goten::types::View;

// Whether `outer` is `inner` or leads to it.
bool Covers(const FieldPath& outer, const FieldPath& inner) {
  const auto& a = outer.fields();
  const auto& b = inner.fields();
  if (a.size() > b.size() || !std::equal(a.begin(), a.end(), b.begin())) return false;
  return !outer.map_key() || outer == inner;
}

std::vector<const FieldDescriptor*> SetFields(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  return fields;
}

void RemoveEntries(Message* message, const FieldDescriptor* map,
                   const std::function<bool(const std::string&)>& is_removed) {
  const auto* reflection = message->GetReflection();
  for (int i = reflection->FieldSize(*message, map) - 1; i >= 0; --i) {
    if (!is_removed(EntryKey(reflection->GetRepeatedMessage(*message, map, i)))) continue;
    reflection->SwapElements(message, map, i, reflection->FieldSize(*message, map) - 1);
    reflection->RemoveLast(message, map);
  }
}

// `paths` have led to `message`, with their first `depth` fields.
void TrimTo(const std::vector<const FieldPath*>& paths, size_t depth, Message* message) {
  const auto* reflection = message->GetReflection();
  for (const FieldDescriptor* field : SetFields(*message)) {
    std::vector<const FieldPath*> inside;
    bool is_whole = false;
    for (const FieldPath* path : paths) {
      if (path->fields()[depth] != field) continue;
      is_whole = is_whole || (depth + 1 == path->fields().size() && !path->map_key());
      inside.push_back(path);
    }
    if (is_whole) continue;
    if (inside.empty()) {
      reflection->ClearField(message, field);
    } else if (field->is_map()) {
      RemoveEntries(message, field, [&inside](const std::string& key) {
        return std::none_of(inside.begin(), inside.end(),
                            [&key](const FieldPath* path) { return path->map_key() == key; });
      });
    } else {
      Message* part = reflection->MutableMessage(message, field);
      TrimTo(inside, depth + 1, part);
      if (SetFields(*part).empty()) reflection->ClearField(message, field);
    }
  }
  reflection->MutableUnknownFields(message)->Clear();
}

// By a copy that has nothing else: reflection has no way to copy a field whatever its type.
void CopyField(const Message& from, const FieldDescriptor* field, Message* to) {
  const std::unique_ptr<Message> only(from.New());
  only->CopyFrom(from);
  for (const FieldDescriptor* other : SetFields(*only)) {
    if (other != field) only->GetReflection()->ClearField(only.get(), other);
  }
  only->GetReflection()->MutableUnknownFields(only.get())->Clear();
  to->MergeFrom(*only);
}

void CopyEntry(const Message& from, const FieldDescriptor* map, const std::string& key,
               Message* to) {
  const auto* reflection = from.GetReflection();
  for (int i = 0, size = reflection->FieldSize(from, map); i < size; ++i) {
    const Message& entry = reflection->GetRepeatedMessage(from, map, i);
    if (EntryKey(entry) == key) reflection->AddMessage(to, map)->CopyFrom(entry);
  }
}

void MergePath(const FieldPath& path, const Message& update, Message* into) {
  const Message* from = &update;  // null where the update has nothing
  Message* to = into;
  const auto& fields = path.fields();
  for (size_t i = 0; i + 1 < fields.size(); ++i) {
    const bool has = from != nullptr && from->GetReflection()->HasField(*from, fields[i]);
    from = has ? &from->GetReflection()->GetMessage(*from, fields[i]) : nullptr;
    if (from == nullptr && !to->GetReflection()->HasField(*to, fields[i])) return;
    to = to->GetReflection()->MutableMessage(to, fields[i]);
  }
  const FieldDescriptor* field = fields.back();
  if (path.map_key()) {
    RemoveEntries(to, field, [&path](const std::string& key) { return key == path.map_key(); });
    if (from != nullptr) CopyEntry(*from, field, *path.map_key(), to);
    return;
  }
  to->GetReflection()->ClearField(to, field);
  if (from != nullptr) CopyField(*from, field, to);
}

}  // namespace

absl::StatusOr<Mask> Mask::Parse(const FieldMask& mask, View view, const Descriptor& type) {
  if (view == View::FULL) return Everything();
  if (!goten::types::View_IsValid(view)) {
    return absl::InvalidArgumentError(fmt::format("no such view: {}", static_cast<int>(view)));
  }
  if (mask.paths_size() > kMostPaths) {
    return absl::InvalidArgumentError(fmt::format("field mask: more than {} paths", kMostPaths));
  }
  Mask parsed;
  parsed.is_everything_ = mask.paths().empty() && view != View::NAME;
  std::vector<FieldPath> paths;
  for (const std::string& text : mask.paths()) {
    if (text == "*") {
      parsed.is_everything_ = true;
      continue;
    }
    CULVERT_ASSIGN_OR_RETURN(FieldPath path, FieldPath::Parse(text, type));
    paths.push_back(std::move(path));
  }
  if (parsed.is_everything_) return parsed;
  if (view == View::NAME) {
    CULVERT_ASSIGN_OR_RETURN(FieldPath name, FieldPath::Parse("name", type));
    paths.push_back(std::move(name));
  }
  for (FieldPath& path : paths) {
    const auto covers = [&path](const FieldPath& kept) { return Covers(kept, path); };
    auto& kept = parsed.paths_;
    if (std::any_of(kept.begin(), kept.end(), covers)) continue;
    const auto covered = [&path](const FieldPath& other) { return Covers(path, other); };
    kept.erase(std::remove_if(kept.begin(), kept.end(), covered), kept.end());
    kept.push_back(std::move(path));
  }
  return parsed;
}

void Mask::Trim(Message* message) const {
  if (is_everything_) return;
  std::vector<const FieldPath*> paths;
  for (const FieldPath& path : paths_) paths.push_back(&path);
  TrimTo(paths, 0, message);
}

void Mask::Merge(const Message& update, Message* into) const {
  if (is_everything_) {
    into->CopyFrom(update);
    return;
  }
  for (const FieldPath& path : paths_) MergePath(path, update, into);
}

}  // namespace culvert::resource
