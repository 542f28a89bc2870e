// Clients of watches as tests have them: what they hold after the messages that they were sent.
#pragma once

#include <google/protobuf/util/message_differencer.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/project_list.h"
#include "broker/project_watch.h"
#include "tests/unit/broker/project_fixture.h"

namespace culvert::broker {

using WatchRequest = ntt::proxies::v1::WatchProjectsRequest;
using WatchResponse = ntt::proxies::v1::WatchProjectsResponse;

template <class Message>
Message ParseFrame(const rpc::Frame& frame) {
  Message message;
  REQUIRE(frame.body.size() == 0);
  REQUIRE(message.ParseFromString(frame.head));
  return message;
}

// Projects by name, or in the order of the list.
using Held = std::vector<store::Project>;

inline std::string TextOf(const Held& held) {
  std::string text;
  for (const store::Project& project : held) text += project.ShortDebugString() + "\n";
  return text;
}

struct WatchFixture : ProjectFixture {
  std::unique_ptr<ProjectWatch> Start(const WatchRequest& request, const ProjectScope& scope = {}) {
    absl::StatusOr<WatchQuestion> question = WatchQuestion::Parse(request, scope, tokens);
    INFO(question.status().ToString());
    REQUIRE(question.ok());
    return question->is_stateful ? MakeStatefulWatch(*std::move(question), tokens)
                                 : MakeStatelessWatch(*std::move(question), tokens);
  }
  absl::StatusOr<ProjectWatch::Step> Advance(ProjectWatch& watch) {
    return Write([&](store::ProjectTable& table) {
      recent.Refresh(table);
      return watch.Advance(table, recent, step_end());
    });
  }
  // Until it is idle.
  std::vector<WatchResponse> Drain(ProjectWatch& watch) {
    std::vector<WatchResponse> responses;
    for (int step = 0; step < 10'000; ++step) {
      absl::StatusOr<ProjectWatch::Step> advanced = Advance(watch);
      INFO(advanced.status().ToString());
      REQUIRE(advanced.ok());
      for (const rpc::Frame& frame : advanced->frames) {
        responses.push_back(ParseFrame<WatchResponse>(frame));
      }
      if (advanced->is_idle) return responses;
    }
    FAIL("is never idle");
    return responses;
  }

  void Put(const std::string& id, const std::string& region, const std::string& label) {
    Write([&](store::ProjectTable& table) {
      const std::optional<store::Project> before = table.Find(id);
      store::Project project = before ? *before : store::Project();
      project.set_name(store::ProjectName(id));
      project.mutable_multi_region_policy()->set_default_control_region(region);
      (*project.mutable_metadata()->mutable_labels())["env"] = label;
      now += std::chrono::milliseconds(1);
      if (before) {
        table.Replace(*before, project, true, now);
      } else {
        table.Insert(project, now);
      }
      return true;
    });
  }
  void Remove(const std::string& id) {
    Write([&](store::ProjectTable& table) {
      const std::optional<store::Project> before = table.Find(id);
      if (before) table.Remove(*before, now);
      return true;
    });
  }

  void Trim(int64_t kept) {
    Write([kept](store::ProjectTable& table) {
      table.Trim(kept, 100'000);
      return true;
    });
  }

  // What ListProjects answers to the same question, with `mask` as watches have it.
  Held List(const ntt::proxies::v1::ListProjectsRequest& request, const ProjectScope& scope,
            const resource::Mask& mask) {
    absl::StatusOr<ProjectQuestion> question = ProjectQuestion::Parse(request, scope, tokens);
    INFO(question.status().ToString());
    REQUIRE(question.ok());
    question->mask = mask;
    const std::shared_ptr<PageSearch> search = PageSearch::Make(*std::move(question));
    for (bool is_over = false; !is_over;) {
      is_over = Write([&](store::ProjectTable& table) { return search->Step(table).value(); });
    }
    links = {};
    auto answer = ListAnswer(search->question(), search->TakePage(), tokens);
    links = {answer.prev_page_token(), answer.next_page_token()};
    return {answer.projects().begin(), answer.projects().end()};
  }

  resource::PageTokens tokens{std::string(32, 'k')};
  RecentChanges recent;
  std::function<StepEnd()> step_end = [] { return StepEnd::Never(); };
  PageLinks links;  // of the last List
};

// A client of one watch that it may lose and begin again.
class WatchClient {
 public:
  WatchClient(WatchFixture& fixture, WatchRequest request, ProjectScope scope = {})
      : fixture_(fixture), request_(std::move(request)), scope_(std::move(scope)) {
    Connect();
  }
  virtual ~WatchClient() = default;

  void Advance() {
    absl::StatusOr<ProjectWatch::Step> step = fixture_.Advance(*watch_);
    INFO(step.status().ToString());
    REQUIRE(step.ok());
    is_idle_ = step->is_idle;
    for (const rpc::Frame& frame : step->frames) {
      const auto response = ParseFrame<WatchResponse>(frame);
      CHECK(response.snapshot_size() == -1);
      Take(response);
    }
  }
  void AdvanceToEnd() {
    is_idle_ = false;
    for (int step = 0; step < 10'000 && !is_idle_; ++step) Advance();
    REQUIRE(is_idle_);
  }
  // Loses the connection, and what the watch had for it.
  void Reconnect() {
    Lose(&request_);
    Connect();
  }
  // What the client holds, against what the list has.
  virtual void Check() = 0;

 protected:
  virtual void Take(const WatchResponse& response) = 0;
  virtual void Lose(WatchRequest* request) = 0;

  // The page that is watched, or all of it.
  Held ListNow() {
    ntt::proxies::v1::ListProjectsRequest list;
    list.set_filter(request_.filter());
    list.set_order_by(request_.order_by());
    list.set_page_token(request_.page_token());
    const bool is_all = request_.type() == goten::types::STATELESS;
    list.set_page_size(is_all ? 1000 : request_.page_size());
    const auto mask = ParseWatchMask(request_.field_mask(), request_.view());
    Held held = fixture_.List(list, scope_, *mask);
    while (is_all && !fixture_.links.next.empty()) {
      list.set_page_token(fixture_.links.next);
      for (store::Project& project : fixture_.List(list, scope_, *mask)) {
        held.push_back(std::move(project));
      }
    }
    return held;
  }

  WatchFixture& fixture_;

 private:
  void Connect() { watch_ = fixture_.Start(request_, scope_); }

  WatchRequest request_;
  const ProjectScope scope_;
  std::unique_ptr<ProjectWatch> watch_;
  bool is_idle_ = false;
};

class StatelessClient final : public WatchClient {
 public:
  using WatchClient::WatchClient;

  void Check() override {
    REQUIRE(unfinished_.empty());
    Held held;
    for (const auto& [name, project] : held_) held.push_back(project);
    CHECK((TextOf(held) == TextOf(ListNow())));
  }
  int hard_resets() const { return hard_resets_; }
  int resumed() const { return resumed_; }
  int sent_again() const { return sent_again_; }

 private:
  void Take(const WatchResponse& response) override {
    if (response.is_hard_reset()) {
      CHECK(response.project_changes().empty());
      ++hard_resets_;
      held_.clear();
      unfinished_.clear();
      token_.clear();
      return;
    }
    for (const auto& change : response.project_changes()) unfinished_.push_back(change);
    CHECK(response.is_current() == !response.resume_token().empty());
    if (!response.is_current()) return;
    for (const auto& change : unfinished_) Apply(change);
    unfinished_.clear();
    token_ = response.resume_token();
  }
  void Apply(const ntt::proxies::v1::ProjectChange& change) {
    if (change.has_removed()) {
      // A client is told that something goes only if it has it.
      CHECK(held_.erase(change.removed().name()) == 1);
      return;
    }
    REQUIRE(change.has_current());
    const store::Project& project = change.current().project();
    auto [held, is_new] = held_.try_emplace(project.name());
    if (!is_new && google::protobuf::util::MessageDifferencer::Equals(held->second, project)) {
      ++sent_again_;
    }
    held->second = project;
  }
  void Lose(WatchRequest* request) override {
    unfinished_.clear();
    request->set_resume_token(token_);
    if (token_.empty()) held_.clear();
    if (!token_.empty()) ++resumed_;
  }

  std::map<std::string, store::Project> held_;
  std::vector<ntt::proxies::v1::ProjectChange> unfinished_;
  std::string token_;
  int hard_resets_ = 0;
  int resumed_ = 0;
  int sent_again_ = 0;  // as it was
};

class StatefulClient final : public WatchClient {
 public:
  using WatchClient::WatchClient;

  void Check() override {
    CHECK((TextOf(held_) == TextOf(ListNow())));
    CHECK(links_.prev == fixture_.links.prev);
    CHECK(links_.next == fixture_.links.next);
  }

 private:
  void Take(const WatchResponse& response) override {
    CHECK_FALSE(response.is_hard_reset());
    CHECK(response.resume_token().empty());
    for (const auto& change : response.project_changes()) Apply(change);
    if (!response.has_page_token_change()) return;
    CHECK(response.is_current());
    links_ = {response.page_token_change().prev_page_token(),
              response.page_token_change().next_page_token()};
  }
  void Apply(const ntt::proxies::v1::ProjectChange& change) {
    if (change.has_removed()) {
      Erase(change.removed().name(), change.removed().view_index());
    } else if (change.has_modified()) {
      Erase(change.modified().name(), change.modified().previous_view_index());
      Insert(change.modified().project(), change.modified().view_index());
    } else {
      REQUIRE(change.has_added());
      Insert(change.added().project(), change.added().view_index());
    }
  }
  void Erase(const std::string& name, int32_t place) {
    REQUIRE(place >= 0);
    REQUIRE(static_cast<size_t>(place) < held_.size());
    REQUIRE(held_[static_cast<size_t>(place)].name() == name);
    held_.erase(held_.begin() + place);
  }
  void Insert(const store::Project& project, int32_t place) {
    REQUIRE(place >= 0);
    REQUIRE(static_cast<size_t>(place) <= held_.size());
    held_.insert(held_.begin() + place, project);
  }
  void Lose(WatchRequest*) override {
    held_.clear();
    links_ = {};
  }

  Held held_;
  PageLinks links_;
};

}  // namespace culvert::broker
