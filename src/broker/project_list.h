// What ListProjects answers with a page that was found.
#pragma once

#include "broker/project_search.h"
#include "ntt/proxies/v1/project_service.pb.h"
#include "resource/page_token.h"

namespace culvert::broker {

ntt::proxies::v1::ListProjectsResponse ListAnswer(const ProjectQuestion& question, FoundPage page,
                                                  const resource::PageTokens& tokens);

}  // namespace culvert::broker
