#include "broker/attachments.h"

#include <utility>

namespace culvert::broker {
namespace {

culvert::v1::AttachResponse Of(const culvert::v1::Notice& notice) {
  culvert::v1::AttachResponse response;
  *response.mutable_notice() = notice;
  return response;
}

}  // namespace

Attachments::Attachments(net::EventLoop& loop, Calls calls)
    : loop_(loop), calls_(std::move(calls)), sweep_(loop, [this] { done_.clear(); }) {}

Attachments::~Attachments() = default;

std::string Attachments::KeyOf(const AttachOpening& opening) {
  OpenChannel open;
  open.provider.project = opening.project;
  open.consumer = opening.name;
  open.principal = opening.principal;
  return ConsumerOf(open);
}

absl::Status Attachments::Add(AttachOpening opening, const rpc::StreamInfo& info,
                              absl::FunctionRef<std::unique_ptr<rpc::Stream>()> take_stream) {
  OfConsumer& all = by_consumer_[KeyOf(opening)];
  std::unique_ptr<Attachment>& place = all[opening.incarnation];
  if (place != nullptr) {
    place->End(absl::AbortedError("attached again"));
    calls_.drop(place->data_owner());  // the other end has given up what was parked by it
    Bury(std::move(place));
  } else if (all.size() > kMost) {
    all.erase(opening.incarnation);
    return absl::ResourceExhaustedError("too many processes of this consumer are attached");
  }
  place = std::make_unique<Attachment>(loop_, std::move(opening), info, take_stream(), *this);
  return absl::OkStatus();
}

void Attachments::Notify(const OpenChannel& open, const culvert::v1::Notice& notice) {
  Tell(open, Of(notice));
}

void Attachments::Notify(const std::string& consumer, uint64_t incarnation,
                         const culvert::v1::Notice& notice) {
  Tell(consumer, incarnation, Of(notice));
}

bool Attachments::WhenWritten(const OpenChannel& open, uint64_t incarnation,
                              std::function<void()> then) {
  const auto found = by_consumer_.find(ConsumerOf(open));
  if (found == by_consumer_.end()) return false;
  const auto place = found->second.find(incarnation);
  return place != found->second.end() && place->second->WhenWritten(std::move(then));
}

void Attachments::SendTicket(const OpenChannel& open, uint64_t channel_id, std::string ticket) {
  culvert::v1::AttachResponse response;
  response.mutable_fresh_ticket()->set_channel_id(channel_id);
  response.mutable_fresh_ticket()->set_ticket(std::move(ticket));
  Tell(open, response);
}

void Attachments::Tell(const OpenChannel& open, const culvert::v1::AttachResponse& what) {
  const auto found = by_consumer_.find(ConsumerOf(open));
  if (found == by_consumer_.end()) return;
  std::vector<uint64_t> whom;
  for (const auto& [incarnation, attachment] : found->second) whom.push_back(incarnation);
  const std::string consumer = found->first;  // telling it may lose the last one
  for (const uint64_t incarnation : whom) Tell(consumer, incarnation, what);
}

void Attachments::Tell(const std::string& consumer, uint64_t incarnation,
                       const culvert::v1::AttachResponse& what) {
  const auto found = by_consumer_.find(consumer);
  if (found == by_consumer_.end()) return;
  const auto place = found->second.find(incarnation);
  if (place != found->second.end()) place->second->Tell(what);
}

void Attachments::Check(absl::FunctionRef<absl::Status(const Principal&)> may) {
  for (auto all = by_consumer_.begin(); all != by_consumer_.end();) {
    for (auto one = all->second.begin(); one != all->second.end();) {
      const absl::Status goes_on = may(*one->second->opening().principal);
      if (goes_on.ok()) {
        ++one;
        continue;
      }
      one->second->End(goes_on);
      calls_.drop(one->second->data_owner());
      Bury(std::move(one->second));
      one = all->second.erase(one);
    }
    all = all->second.empty() ? by_consumer_.erase(all) : std::next(all);
  }
}

void Attachments::EndAll(const absl::Status& why) {
  for (auto& [consumer, all] : by_consumer_) {
    for (auto& [incarnation, attachment] : all) {
      attachment->End(why);
      Bury(std::move(attachment));
    }
  }
  by_consumer_.clear();
}

size_t Attachments::size() const {
  size_t size = 0;
  for (const auto& [consumer, all] : by_consumer_) size += all.size();
  return size;
}

void Attachments::ForEach(absl::FunctionRef<void(const std::string&, uint64_t)> visit) {
  for (const auto& [consumer, all] : by_consumer_) {
    for (const auto& [incarnation, attachment] : all) visit(consumer, incarnation);
  }
}

void Attachments::OnDetached(Attachment& attachment, const absl::Status&) {
  const auto all = by_consumer_.find(KeyOf(attachment.opening()));
  if (all == by_consumer_.end()) return;
  const auto place = all->second.find(attachment.opening().incarnation);
  if (place == all->second.end() || place->second.get() != &attachment) return;
  calls_.drop(attachment.data_owner());
  Bury(std::move(place->second));
  all->second.erase(place);
  if (all->second.empty()) by_consumer_.erase(all);
}

void Attachments::Bury(std::unique_ptr<Attachment> attachment) {
  done_.push_back(std::move(attachment));
  sweep_.Schedule();
}

}  // namespace culvert::broker
