// Which fields of a resource a request is about: what a read returns, what a watch reports, what an
// update changes. A value; any thread. It refers to the descriptor that it was parsed with, which
// must stay (generated ones always do).
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/message.h>

#include <vector>

#include "absl/status/statusor.h"
#include "goten/types/view.pb.h"
#include "resource/field_path.h"

namespace culvert::resource {

class Mask {
 public:
  static constexpr int kMostPaths = 128;

  static Mask Everything() { return {}; }
  // The fields of `mask`, in any spelling (field_path.h), keys of maps too; "*", and no path at
  // all, are everything. View NAME adds the resource's name to them, and is then never everything;
  // FULL is everything whatever the mask says; the others add nothing, as a resource has no shorter
  // views. INVALID_ARGUMENT for a path that `type` does not have.
  static absl::StatusOr<Mask> Parse(const google::protobuf::FieldMask& mask,
                                    goten::types::View view,
                                    const google::protobuf::Descriptor& type);

  bool is_everything() const { return is_everything_; }
  // None of them inside of another one; empty for everything.
  const std::vector<FieldPath>& paths() const { return paths_; }

  // Clears what is not masked. A message of which nothing masked is set is cleared as a whole.
  void Trim(google::protobuf::Message* message) const;
  // A copy with the masked fields only.
  template <class Resource>
  Resource Project(const Resource& resource) const {
    Resource copy = resource;
    Trim(&copy);
    return copy;
  }

  // Whether a masked field differs.
  bool Changed(const google::protobuf::Message& before,
               const google::protobuf::Message& after) const;
  // The masked paths that differ: those of single fields, and of single entries of a map unless
  // they are more than 16 or have a key that no path can name.
  google::protobuf::FieldMask DiffPaths(const google::protobuf::Message& before,
                                        const google::protobuf::Message& after) const;

  // Makes the masked fields of `into` what they are in `update`: what is not set there is cleared,
  // lists and maps are replaced as a whole. With everything, `into` becomes `update`.
  void Merge(const google::protobuf::Message& update, google::protobuf::Message* into) const;

 private:
  Mask() = default;

  bool is_everything_ = true;
  std::vector<FieldPath> paths_;
};

}  // namespace culvert::resource
