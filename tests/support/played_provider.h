// The broker and the provider behind it, as a consumer sees them on its Connect streams: one
// channel, whose paths the test cuts.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rpc/codec.h"
#include "tests/support/played_broker.h"
#include "tunnel/channel.h"

namespace culvert::test {

// Runs on gRPC's threads, one stream at a time. The service is an echo that ends when its peer
// does.
class PlayedProvider {
 public:
  using Response = ntt::proxies::v1::ConnectResponse;
  using Request = ntt::proxies::v1::ConnectRequest;
  using Stream = PlayedBroker::ConnectStream;

  static constexpr uint64_t kChannel = 7;
  static constexpr uint64_t kSession = 5;

  // How many messages, of both directions, path `attempt` carries; negative: all. Before the first
  // path; outlives the broker.
  std::function<int(uint32_t attempt)> messages_of = [](uint32_t) { return -1; };
  // What to answer a resume with instead of taking it up.
  std::function<std::optional<grpc::Status>(Stream&, const Request::ResumeRequest&)> refuse;
  // What the broker itself says behind the opening.
  std::optional<culvert::v1::Notice> notice;
  uint32_t resume_timeout_s = 300;
  std::string ticket = "ticket 1";
  uint64_t own_window = 256 << 10;
  bool echoing = true;
  size_t chunk = 1000;             // most bytes of a message
  std::atomic<bool> taking{true};  // whether the service takes what comes
  // What the service says by itself.
  void Say(std::string text) { unsent_ = std::move(text); }

  // The broker's Connect.
  grpc::Status Serve(Stream& stream) {
    Request first;
    if (!stream.Read(&first)) return {grpc::StatusCode::INVALID_ARGUMENT, "no opening"};
    const std::lock_guard lock(one_stream_);
    if (first.has_open_request()) {
      Open(stream, first.open_request());
      if (notice) Tell(stream);
      return Carry(stream, 1);
    }
    const Request::ResumeRequest& resume = first.resume_request();
    Note(resume);
    if (refuse) {
      if (const auto refused = refuse(stream, resume)) return *refused;
    }
    if (!Resume(stream, resume)) {
      Response response;
      auto& error = *response.mutable_channel_open_error();
      error.set_code(channel_->outcome().clean
                         ? culvert::v1::ERROR_CODE_ENDED
                         : static_cast<culvert::v1::ErrorCode>(channel_->outcome().code));
      error.set_last_message_id(channel_->last_received_id());
      stream.Write(response);
      NoteOutcome();
      return {grpc::StatusCode::OUT_OF_RANGE, "ended"};
    }
    return Carry(stream, resume.attempt());
  }

  std::vector<Request::ResumeRequest> Resumes() {
    const std::lock_guard lock(mutex_);
    return resumes_;
  }
  // How the channel ended here; waits for it.
  std::optional<tunnel::Outcome> WaitForOutcome() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return outcome_.has_value(); });
    return outcome_;
  }
  std::string Received() {
    const std::lock_guard lock(mutex_);
    return received_;
  }
  // Whether neither direction can go on.
  bool BothWindowsFull() const { return full_; }

 private:
  void Tell(Stream& stream) {
    Response response;
    *response.mutable_notice() = *notice;
    stream.Write(response);
  }

  void Note(const Request::ResumeRequest& resume) {
    const std::lock_guard lock(mutex_);
    resumes_.push_back(resume);
  }

  void Open(Stream& stream, const Request::OpenRequest& open) {
    tunnel::Channel::Options options;
    options.id = kChannel;
    options.peer_capabilities = open.caps();
    options.peer_window = open.window();
    options.own_window = own_window;
    channel_.emplace(options, budget_);
    Response response;
    auto& opened = *response.mutable_open_response();
    opened.set_session_id(kSession);
    opened.set_channel_id(kChannel);
    opened.set_caps(tunnel::kOwnCapabilities);
    opened.set_window(own_window);
    opened.set_attempt(1);
    opened.set_ticket(ticket);
    opened.set_resume_timeout_s(resume_timeout_s);
    stream.Write(response);
    static_cast<void>(channel_->Attach(1, 0, open.window(), MonotonicNow()));
  }

  bool Resume(Stream& stream, const Request::ResumeRequest& resume) {
    channel_->Detach();
    Response response;
    auto& resumed = *response.mutable_resume_response();
    resumed.set_session_id(kSession);
    resumed.set_channel_id(kChannel);
    resumed.set_attempt(resume.attempt());
    resumed.set_last_message_id(channel_->last_received_id());
    resumed.set_window(channel_->window());
    resumed.set_caps(tunnel::kOwnCapabilities);
    resumed.set_ticket("ticket " + std::to_string(resume.attempt()));
    if (!channel_
             ->Attach(resume.attempt(), resume.last_message_id(), resume.window(), MonotonicNow())
             .ok())
      return false;
    stream.Write(response);
    return true;
  }

  grpc::Status Carry(Stream& stream, uint32_t attempt) {
    int left = messages_of(attempt);
    const grpc::Status cut(grpc::StatusCode::UNAVAILABLE, "path lost");
    Request request;
    while (true) {
      if (!Say(stream, left)) return cut;
      if (channel_->state() == tunnel::Channel::State::kEnded) return grpc::Status::OK;
      if (left == 0) return cut;
      if (!stream.Read(&request)) return cut;
      --left;
      Take(request);
    }
  }

  // False when the path has carried what it was to carry.
  bool Say(Stream& stream, int& left) {
    Work();
    // Acks that may be late are due now: nothing wakes this thread but the next message.
    const MonotonicTime later = MonotonicNow() + std::chrono::hours(1);
    while (left != 0) {
      const std::optional<tunnel::Message> message = channel_->NextMessage(later);
      if (!message) break;
      const rpc::Frame frame = rpc::EncodeMessage(rpc::EnvelopeType::kConnectResponse, *message);
      Response response;
      response.ParseFromString(frame.head + std::string(frame.body.view()));
      stream.Write(response);
      --left;
    }
    Work();
    return left != 0 || channel_->state() == tunnel::Channel::State::kEnded;
  }

  void Take(const Request& request) {
    const Bytes bytes(request.SerializeAsString());
    const auto envelope = rpc::ParseEnvelope(rpc::EnvelopeType::kConnectRequest, bytes);
    auto message = rpc::DecodeMessage(envelope->kind, envelope->body);
    static_cast<void>(
        channel_->OnMessage(channel_->attempt(), *std::move(message), MonotonicNow()));
  }

  // The service's side: echoes what comes, as far as the window lets it.
  void Work() {
    const MonotonicTime now = MonotonicNow();
    while (taking) {
      auto delivery = channel_->NextDelivery(now);
      if (!delivery) break;
      {
        const std::lock_guard lock(mutex_);
        received_ += delivery->bytes.view();
      }
      if (echoing) unsent_ += delivery->bytes.view();
      ending_ = ending_ || delivery->end;
      channel_->Delivered(now);
    }
    while (!unsent_.empty() && channel_->SendRoom() > 0) {
      const size_t size = std::min({channel_->SendRoom(), unsent_.size(), chunk});
      channel_->Send(Bytes(unsent_.substr(0, size)));
      unsent_.erase(0, size);
    }
    if (ending_ && unsent_.empty()) channel_->FinishSending();
    full_ = !unsent_.empty() && channel_->SendRoom() == 0 &&
            channel_->receive_held() + chunk > own_window;
    NoteOutcome();
  }

  void NoteOutcome() {
    if (channel_->state() != tunnel::Channel::State::kEnded) return;
    const std::lock_guard lock(mutex_);
    outcome_ = channel_->outcome();
    changed_.notify_all();
  }

  std::mutex one_stream_;  // held while one is served, and with it what follows
  tunnel::MemoryBudget budget_;
  std::optional<tunnel::Channel> channel_;
  std::string unsent_;
  bool ending_ = false;

  std::mutex mutex_;  // for the rest
  std::condition_variable changed_;
  std::vector<Request::ResumeRequest> resumes_;
  std::string received_;
  std::optional<tunnel::Outcome> outcome_;
  std::atomic<bool> full_{false};
};

}  // namespace culvert::test
