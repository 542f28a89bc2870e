// Files of -f: no crash, no exception, and what is read is written as YAML that reads as the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "forwarder/documents.h"
#include "forwarder/yaml_writer.h"

using culvert::forwarder::JsonValue;
using culvert::forwarder::ReadDocuments;
using culvert::forwarder::WriteJson;
using culvert::forwarder::WriteYaml;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto documents = ReadDocuments(text, "file");
  if (!documents.ok()) {
    CULVERT_CHECK(absl::IsInvalidArgument(documents.status()));
    return 0;
  }
  std::string written;
  for (const JsonValue& document : *documents) written += "---\n" + WriteYaml(document);
  if (written.size() > culvert::forwarder::kMostYamlBytes) return 0;
  const auto again = ReadDocuments(written, "file");
  CULVERT_CHECK(again.ok());
  CULVERT_CHECK(again->size() == documents->size());
  for (size_t i = 0; i < again->size(); ++i) {
    CULVERT_CHECK(WriteJson((*again)[i], -1) == WriteJson((*documents)[i], -1));
  }
  return 0;
}
