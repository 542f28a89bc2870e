// Resume tokens of stateless watches: a place in the log of changes, sealed for the one filter and
// the one mask.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "broker/project_question.h"
#include "resource/page_token.h"

namespace culvert::broker {

std::string SealResumeToken(int64_t version, const ProjectQuestion& question,
                            const resource::PageTokens& tokens);

// The version; kNoVersion if the watch saw other projects than this one does, so that nothing is to
// be gone on from. INVALID_ARGUMENT for what this store did not seal for this filter and mask.
absl::StatusOr<int64_t> OpenResumeToken(const std::string& token, const ProjectQuestion& question,
                                        const resource::PageTokens& tokens);

inline constexpr int64_t kNoVersion = -1;

}  // namespace culvert::broker
