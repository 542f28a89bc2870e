#include "broker/watch_digest.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "crypto/digest.h"

namespace culvert::broker {

std::string DigestOf(const store::Project& project) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream output(&stream);
    output.SetSerializationDeterministic(true);  // maps in one order
    project.SerializeToCodedStream(&output);
  }
  return crypto::Sha256(bytes);
}

}  // namespace culvert::broker
