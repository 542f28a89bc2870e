#include "broker/project_list.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace culvert::broker {

ntt::proxies::v1::ListProjectsResponse ListAnswer(const ProjectQuestion& question, FoundPage page,
                                                  const resource::PageTokens& tokens) {
  std::optional<std::string> last;
  if (page.is_more) last = page.projects.back().key;
  PageLinks links = LinksOf(question, last, tokens);
  ntt::proxies::v1::ListProjectsResponse answer;
  answer.set_prev_page_token(std::move(links.prev));
  answer.set_next_page_token(std::move(links.next));
  answer.set_current_offset(page.offset);
  answer.set_total_results_count(page.total);
  if (question.IsLeft()) std::reverse(page.projects.begin(), page.projects.end());
  for (FoundProject& one : page.projects) *answer.add_projects() = std::move(one.project);
  return answer;
}

}  // namespace culvert::broker
