#include "forwarder/project_watch.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <utility>

#include "base/backoff.h"
#include "base/log.h"
#include "base/printable_words.h"
#include "base/status.h"
#include "base/wall_time.h"
#include "forwarder/project_client.h"
#include "forwarder/watch_inbox.h"
#include "forwarder/watch_printer.h"
#include "forwarder/watched_projects.h"
#include "net/loop_thread.h"
#include "net/signal_watcher.h"
#include "net/timer.h"
#include "ntt/proxies/v1/project_service.pb.h"
#include "sdk/opening.h"

namespace culvert::forwarder {
namespace {

using config::ProjectsConfig;
using ntt::proxies::v1::GetProjectRequest;
using ntt::proxies::v1::Project;
using ntt::proxies::v1::WatchProjectsRequest;
using ntt::proxies::v1::WatchProjectsResponse;
using Kind = WatchInbox::Kind;

// Ends the watch with a signal, also while standard output takes nothing.
class StopSignals {
 public:
  static constexpr Duration kMost = std::chrono::seconds(1);

  explicit StopSignals(WatchInbox& inbox) {
    thread_.Run([this, &inbox] { watch_ = std::make_unique<Watch>(thread_.loop(), inbox); });
  }
  ~StopSignals() {
    thread_.Run([this] { watch_.reset(); });
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  struct Watch {
    Watch(net::EventLoop& loop, WatchInbox& inbox)
        : inbox(inbox),
          timer(loop),
          terminate(loop, SIGTERM, [this] { Stop(); }),
          interrupt(loop, SIGINT, [this] { Stop(); }),
          hang_up(loop, SIGHUP, [this] { Stop(); }) {}

    void Stop() {
      inbox.Stop();
      timer.Start(kMost, [] { std::_Exit(0); });
    }

    WatchInbox& inbox;
    net::Timer timer;
    net::SignalWatcher terminate;
    net::SignalWatcher interrupt;
    net::SignalWatcher hang_up;
  };

  net::LoopThread thread_;
  std::unique_ptr<Watch> watch_;  // of the loop
};

// One stream. Confined to the loop; destroy = cancel.
class WatchStream final : private rpc::Stream::Delegate {
 public:
  WatchStream(rpc::Connection& connection, const WatchProjectsRequest& request, WatchInbox& inbox)
      : inbox_(inbox), stream_(connection.Start(rpc::Method::kWatchProjects)) {
    stream_->SetDelegate(this);
    stream_->Write(rpc::FrameOf(request));
    stream_->HalfClose();
    stream_->Read();
  }

  // The message before is printed.
  void Next() { stream_->Read(); }

 private:
  void OnMessage(Bytes message) override { inbox_.Put({Kind::kMessage, std::move(message), {}}); }
  void OnWritten() override {}
  void OnEnd(absl::Status status) override { inbox_.Put({Kind::kEnd, {}, std::move(status)}); }

  WatchInbox& inbox_;
  std::unique_ptr<rpc::Stream> stream_;
};

// The broker's limit of a page.
constexpr int32_t kLargestPage = 1000;

int32_t ToInt(uint32_t number) {
  return static_cast<int32_t>(std::min<uint32_t>(number, INT32_MAX));
}

// What NAMEs and --filter mean together. Names have no quotes in them.
std::string FilterOf(const ProjectsConfig& config) {
  if (config.names.empty()) return config.filter;
  std::string list;
  for (const std::string& name : config.names) {
    list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", name);
  }
  std::string filter = fmt::format("name IN ({})", list);
  if (!config.filter.empty()) filter += fmt::format(" AND ({})", config.filter);
  return filter;
}

// Whether the same would be said again.
bool IsFinal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kNotFound:
      return true;
    default:
      return false;
  }
}

class Watcher {
 public:
  explicit Watcher(const config::ForwarderConfig& config)
      : config_(config),
        projects_(config.projects),
        watched_(projects_.resume_token.empty() && !projects_.starting_time
                     ? WatchedProjects::Start::kSnapshot
                     : WatchedProjects::Start::kChanges),
        printer_(projects_.output.value_or(ProjectsConfig::Output::kTable), projects_.headers) {}

  absl::Status Run() {
    CULVERT_RETURN_IF_ERROR(inbox_.Open());
    std::unique_ptr<StopSignals> signals;
    while (true) {
      CULVERT_ASSIGN_OR_RETURN(const std::unique_ptr<ProjectClient> client,
                               ProjectClient::Make(config_));
      // After the identity was read, which must be before the first thread.
      if (signals == nullptr) signals = std::make_unique<StopSignals>(inbox_);
      absl::Status lost = RunOnce(*client);
      if (lost.ok() || absl::IsCancelled(lost) || !MayGoOn(lost)) return lost;
      watched_.Restart();
      const Kind kind = inbox_.Wait(backoff_.Next()).kind;
      if (kind == Kind::kStop) return absl::OkStatus();
      if (kind == Kind::kReaderGone) return ReaderGone();
    }
  }

 private:
  static absl::Status ReaderGone() {
    return absl::CancelledError("nobody reads standard output any more");
  }

  WatchProjectsRequest Request() const {
    WatchProjectsRequest request;
    request.set_filter(FilterOf(projects_));
    if (projects_.is_of_a_page()) {
      request.set_type(goten::types::STATEFUL);
      request.set_order_by(projects_.order_by);
      request.set_page_size(projects_.page_size == 0 ? kLargestPage : ToInt(projects_.page_size));
      return request;
    }
    request.set_type(goten::types::STATELESS);
    request.set_resume_token(watched_.resume_token().empty() && !watched_.knows_all()
                                 ? projects_.resume_token
                                 : watched_.resume_token());
    if (request.resume_token().empty() && projects_.starting_time && !watched_.knows_all()) {
      *request.mutable_starting_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(
          ToUnixMillis(*projects_.starting_time));
    }
    return request;
  }

  // A name that is mistyped would be waited for.
  absl::Status CheckNames(ProjectClient& client) {
    if (was_heard_) return absl::OkStatus();
    for (const std::string& name : projects_.names) {
      GetProjectRequest request;
      request.set_name(name);
      request.mutable_field_mask()->add_paths("name");
      const auto found = client.Ask<Project>(rpc::Method::kGetProject, request);
      if (!found.ok() && !absl::IsPermissionDenied(found.status())) return found.status();
    }
    return absl::OkStatus();
  }

  // One stream, to its end: OK if the user has ended it, CANCELLED if there is no reader.
  absl::Status RunOnce(ProjectClient& client) {
    CULVERT_RETURN_IF_ERROR(CheckNames(client));
    BrokerCaller& caller = client.caller();
    CULVERT_RETURN_IF_ERROR(caller.Connect(skip_));
    std::unique_ptr<WatchStream> stream;
    caller.RunOnLoop([&](rpc::Connection& connection) {
      stream = std::make_unique<WatchStream>(connection, Request(), inbox_);
    });
    absl::Status end = Follow(caller, &stream);
    caller.RunOnLoop([&](rpc::Connection&) { stream.reset(); });
    inbox_.DropStream();
    return end;
  }

  absl::Status Follow(BrokerCaller& caller, std::unique_ptr<WatchStream>* stream) {
    while (true) {
      const WatchInbox::Item item = inbox_.Wait();
      switch (item.kind) {
        case Kind::kMessage:
          HandleHeard(caller.address());
          CULVERT_RETURN_IF_ERROR(Print(item.message));
          caller.RunOnLoop([&](rpc::Connection&) { (*stream)->Next(); });
          break;
        case Kind::kEnd:
          if (!item.status.ok()) return ExplainStreamEnd(item.status, caller.address());
          return absl::UnavailableError(
              fmt::format("broker {} has ended the watch", caller.address()));
        case Kind::kStop:
          return absl::OkStatus();
        case Kind::kReaderGone:
          return ReaderGone();
        case Kind::kTime:
          break;
      }
    }
  }

  absl::Status Print(const Bytes& message) {
    CULVERT_ASSIGN_OR_RETURN(auto response, ParseAnswer<WatchProjectsResponse>(message));
    const std::vector<ProjectEvent> events = watched_.Take(std::move(response));
    const std::string text = printer_.Text(events, std::time(nullptr));
    return text.empty() ? absl::OkStatus() : PrintNow(text);
  }

  void HandleHeard(const std::string& broker) {
    if (is_away_) CULVERT_LOG(kInfo, "broker {} is back: the watch goes on", broker);
    is_away_ = false;
    was_heard_ = true;
    backoff_.Reset();
  }

  // At the start a broker has to be there; later one may be away.
  bool MayGoOn(const absl::Status& lost) {
    ++skip_;
    if (IsFinal(lost)) return false;
    if (!was_heard_) return absl::IsUnavailable(lost) && skip_ < config_.brokers.size();
    if (!is_away_) CULVERT_LOG(kWarning, "{}: trying again", PrintableWords(MessageOf(lost)));
    is_away_ = true;
    return true;
  }

  const config::ForwarderConfig& config_;
  const ProjectsConfig& projects_;
  WatchInbox inbox_;
  WatchedProjects watched_;
  WatchPrinter printer_;
  Backoff backoff_;
  size_t skip_ = 0;  // brokers that were tried
  bool was_heard_ = false;
  bool is_away_ = false;
};

}  // namespace

absl::Status WatchProjects(const config::ForwarderConfig& config) { return Watcher(config).Run(); }

}  // namespace culvert::forwarder
