// Files that hold secrets: nobody but their owner may read them, and a crash leaves the old content
// or the new one, never a part.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace culvert::crypto {

// Makes `path` and its parents where they are missing, mode 0700. Blocks. An error names the path.
absl::Status MakePrivateDirectory(const std::string& path);

// Replaces the file by one of mode 0600 with `content`. When this returns OK the content is on the
// disk. Blocks.
absl::Status WritePrivateFile(const std::string& path, std::string_view content);

// OK if there is none. When this returns OK a crash does not bring it back. Blocks.
absl::Status RemovePrivateFile(const std::string& path);

// NOT_FOUND if there is none; FAILED_PRECONDITION if it is no regular file, others may read or
// write it, or it is somebody else's: neither the caller's nor root's, nor, for root, of the owner
// of the directory that it is in; OUT_OF_RANGE if it is longer than `most` bytes. Blocks.
absl::StatusOr<std::string> ReadPrivateFile(const std::string& path, size_t most);

}  // namespace culvert::crypto
