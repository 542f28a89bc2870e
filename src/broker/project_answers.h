// Searches that make the answer of a reading call, beside the loop, which only sends it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/project_question.h"
#include "broker/project_worker.h"
#include "resource/field_mask.h"
#include "resource/page_token.h"
#include "rpc/stream.h"

namespace culvert::broker {

class AnswerSearch : public ProjectSearch {
 public:
  // Once, when it is over.
  rpc::Frame TakeAnswer() { return std::move(answer_); }

 protected:
  rpc::Frame answer_;
};

// NOT_FOUND if it is not there.
std::shared_ptr<AnswerSearch> SearchOne(std::string id, resource::Mask mask);
// RESOURCE_EXHAUSTED where they are too large for one answer.
std::shared_ptr<AnswerSearch> SearchBatch(std::vector<std::string> ids, resource::Mask mask);
std::shared_ptr<AnswerSearch> SearchPage(ProjectQuestion question,
                                         const resource::PageTokens& tokens);

}  // namespace culvert::broker
