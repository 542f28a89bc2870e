// A client of ProjectService that asks for much at once. projects.py tells it what to do.
//
//   projects ADDRESS IDENTITY fill COUNT AT-ONCE
//   projects ADDRESS IDENTITY list ORDER-BY PAGES
//   projects ADDRESS IDENTITY watch stateful|stateless WATCHERS CHANGES
//
// IDENTITY is an identity.pem of the program culvert, of somebody who may do that. One line of JSON
// says what it took.
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "ntt/proxies/v1/project_service.grpc.pb.h"

namespace culvert {
namespace {

namespace pb = ntt::proxies::v1;
using Clock = std::chrono::steady_clock;
using Service = pb::ProjectService::Stub;

constexpr size_t kConnections = 4;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

[[noreturn]] void Fail(const std::string& why) {
  fmt::print(stderr, "projects: {}\n", why);
  std::exit(1);
}

// The PEM blocks of one kind, in order.
std::vector<std::string> Blocks(const std::string& text, std::string_view kind) {
  std::vector<std::string> blocks;
  const std::string begin = fmt::format("-----BEGIN {}-----", kind);
  const std::string end = fmt::format("-----END {}-----\n", kind);
  for (size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at + 1)) {
    blocks.push_back(text.substr(at, text.find(end, at) + end.size() - at));
  }
  return blocks;
}

std::vector<std::unique_ptr<Service>> Connect(const std::string& address,
                                              const std::string& identity) {
  std::ifstream file(identity);
  std::stringstream text;
  text << file.rdbuf();
  std::vector<std::string> key = Blocks(text.str(), "PRIVATE KEY");
  if (key.empty()) key = Blocks(text.str(), "EC PRIVATE KEY");
  const std::vector<std::string> certificates = Blocks(text.str(), "CERTIFICATE");
  if (key.empty() || certificates.size() != 2) Fail(fmt::format("{} is no identity", identity));
  const auto credentials = grpc::SslCredentials({certificates[1], key.front(), certificates[0]});
  std::vector<std::unique_ptr<Service>> services;
  for (size_t i = 0; i < kConnections; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride("broker.culvert.internal");
    arguments.SetInt("connection", static_cast<int>(i));  // so that each is one of its own
    services.push_back(
        pb::ProjectService::NewStub(grpc::CreateCustomChannel(address, credentials, arguments)));
  }
  return services;
}

std::string NameOf(size_t number) { return fmt::format("projects/p{:07}", number); }

// Of sorted seconds, in milliseconds.
double Percentile(const std::vector<double>& sorted, double part) {
  CULVERT_CHECK(!sorted.empty());
  const auto at = static_cast<size_t>(part * static_cast<double>(sorted.size() - 1));
  return sorted[at] * 1000;
}

std::string Times(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  return fmt::format(R"("p50_ms":{:.3f},"p99_ms":{:.3f},"most_ms":{:.3f})",
                     Percentile(seconds, 0.5), Percentile(seconds, 0.99), seconds.back() * 1000);
}

// Makes projects, so many at any time.
class Filler {
 public:
  Filler(std::vector<std::unique_ptr<Service>> services, size_t count)
      : services_(std::move(services)), count_(count), seconds_(count) {}

  std::string Run(size_t at_once) {
    const Clock::time_point begin = Clock::now();
    for (size_t i = 0; i < at_once; ++i) Next();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done_ == count_; });
    const double seconds = SecondsSince(begin);
    return fmt::format(R"({{"count":{},"seconds":{:.1f},"per_second":{:.0f},{}}})", count_, seconds,
                       static_cast<double>(count_) / seconds, Times(std::move(seconds_)));
  }

 private:
  struct Call {
    grpc::ClientContext context;
    pb::CreateProjectRequest request;
    pb::Project answer;
    size_t number = 0;
    Clock::time_point begin = Clock::now();
  };

  void Next() {
    const size_t number = next_.fetch_add(1);
    if (number >= count_) return;
    auto call = std::make_shared<Call>();
    call->number = number;
    pb::Project& project = *call->request.mutable_project();
    project.set_name(NameOf(number));
    project.mutable_multi_region_policy()->set_default_control_region(
        fmt::format("region-{}", number % 7));
    auto& labels = *project.mutable_metadata()->mutable_labels();
    labels["env"] = number % 3 == 0 ? "prod" : "test";
    labels["team"] = fmt::format("team-{}", number % 101);
    call->request.mutable_response_mask()->set_skip_entire_response_body(true);
    services_[number % services_.size()]->async()->CreateProject(
        &call->context, &call->request, &call->answer, [this, call](const grpc::Status& status) {
          if (!status.ok()) Fail(status.error_message());
          seconds_[call->number] = SecondsSince(call->begin);
          Next();
          const std::lock_guard lock(mutex_);
          if (++done_ == count_) changed_.notify_all();
        });
  }

  const std::vector<std::unique_ptr<Service>> services_;
  const size_t count_;
  std::vector<double> seconds_;
  std::atomic<size_t> next_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t done_ = 0;
};

std::string List(Service& service, const std::string& order_by, size_t pages) {
  std::vector<double> seconds;
  pb::ListProjectsRequest request;
  request.set_order_by(order_by);
  size_t projects = 0;
  while (seconds.size() < pages) {
    grpc::ClientContext context;
    pb::ListProjectsResponse response;
    const Clock::time_point begin = Clock::now();
    const grpc::Status status = service.ListProjects(&context, request, &response);
    if (!status.ok()) Fail(status.error_message());
    seconds.push_back(SecondsSince(begin));
    projects += static_cast<size_t>(response.projects_size());
    request.set_page_token(response.next_page_token());  // after the last page from the first one
  }
  return fmt::format(R"({{"pages":{},"projects":{},{}}})", pages, projects,
                     Times(std::move(seconds)));
}

// What all watchers have heard of the change under way.
class Heard {
 public:
  explicit Heard(size_t watchers) : watchers_(watchers) {}

  void Note() {
    const std::lock_guard lock(mutex_);
    seconds_.push_back(SecondsSince(begin_));
    if (++heard_ == watchers_) changed_.notify_all();
  }
  void Begin() {
    const std::lock_guard lock(mutex_);
    heard_ = 0;
    begin_ = Clock::now();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(60),
                           [this] { return heard_ == watchers_; })) {
      Fail(fmt::format("{} of {} watchers have heard", heard_, watchers_));
    }
  }
  std::vector<double> TakeTimes() {
    const std::lock_guard lock(mutex_);
    return std::exchange(seconds_, {});
  }

 private:
  const size_t watchers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t heard_ = 0;
  Clock::time_point begin_ = Clock::now();
  std::vector<double> seconds_;
};

class Watcher final : public grpc::ClientReadReactor<pb::WatchProjectsResponse> {
 public:
  Watcher(Service& service, bool is_stateful, Heard& heard) : heard_(heard) {
    if (!is_stateful) {
      request_.set_type(goten::types::STATELESS);
      request_.mutable_starting_time()->set_seconds(
          std::chrono::duration_cast<std::chrono::seconds>(
              std::chrono::system_clock::now().time_since_epoch() + std::chrono::hours(1))
              .count());
    }
    service.async()->WatchProjects(&context_, &request_, this);
    StartRead(&response_);
    StartCall();
  }
  void Stop() {
    context_.TryCancel();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_over_; });
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    heard_.Note();
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override {
    if (status.error_code() != grpc::StatusCode::CANCELLED) Fail(status.error_message());
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    changed_.notify_all();
  }

  Heard& heard_;
  grpc::ClientContext context_;
  pb::WatchProjectsRequest request_;
  pb::WatchProjectsResponse response_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
};

// Each change is of a project of the first page, and begins when all watchers have heard of the one
// before: from the call that makes it to the last of them.
std::string Watch(const std::vector<std::unique_ptr<Service>>& services, bool is_stateful,
                  size_t count, size_t changes) {
  Heard heard(count);
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (size_t i = 0; i < count; ++i) {
    watchers.push_back(
        std::make_unique<Watcher>(*services[i % services.size()], is_stateful, heard));
  }
  heard.Wait();  // that they are in sync
  heard.TakeTimes();
  for (size_t change = 0; change < changes; ++change) {
    grpc::ClientContext context;
    pb::UpdateProjectRequest request;
    pb::Project answer;
    request.mutable_project()->set_name(NameOf(change % 50));
    (*request.mutable_project()->mutable_metadata()->mutable_labels())["change"] =
        std::to_string(Clock::now().time_since_epoch().count());
    request.mutable_update_mask()->add_paths("metadata.labels.change");
    heard.Begin();
    const grpc::Status status = services.front()->UpdateProject(&context, request, &answer);
    if (!status.ok()) Fail(status.error_message());
    heard.Wait();
  }
  for (auto& watcher : watchers) watcher->Stop();
  return fmt::format(R"({{"watchers":{},"changes":{},{}}})", count, changes,
                     Times(heard.TakeTimes()));
}

int Run(const std::vector<std::string>& words) {
  if (words.size() < 5) Fail("see projects.cc for what it takes");
  std::vector<std::unique_ptr<Service>> services = Connect(words[0], words[1]);
  const auto number = [&words](size_t at) { return std::stoul(words.at(at)); };
  std::string said;
  if (words[2] == "fill") {
    said = Filler(std::move(services), number(3)).Run(number(4));
  } else if (words[2] == "list") {
    said = List(*services.front(), words[3], number(4));
  } else if (words[2] == "watch" && words.size() == 6) {
    said = Watch(services, words[3] == "stateful", number(4), number(5));
  } else {
    Fail("see projects.cc for what it takes");
  }
  fmt::print("{}\n", said);
  return 0;
}

}  // namespace
}  // namespace culvert

int main(int argc, char** argv) { return culvert::Run({argv + 1, argv + argc}); }
