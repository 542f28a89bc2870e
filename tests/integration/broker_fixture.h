// Raw consumers and providers at a broker of their own.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/raw_client.h"
#include "tests/support/test_broker.h"

namespace culvert::test {

// Whether a message holds anything that a legacy peer does not know.
inline bool HasAdditions(const google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->number() >= 100) return true;
    if (field->message_type() != nullptr && HasAdditions(reflection.GetMessage(message, field)))
      return true;
  }
  return !reflection.GetUnknownFields(message).empty();
}

template <typename Message>
Message DataMessage(uint64_t id, const std::string& bytes) {
  Message message;
  message.mutable_data()->set_id(id);
  message.mutable_data()->set_bytes(bytes);
  return message;
}

template <typename Message>
Message CloseMessage(uint64_t id) {
  Message message;
  message.mutable_close()->set_id(id);
  return message;
}

template <typename Message>
Message PingMessage() {
  Message message;
  message.mutable_ping();
  return message;
}

// A channel that is open, with a connection for each end.
template <typename ConsumerVersion, typename ProviderVersion>
struct RawChannel {
  using Consumer = RawClient<ConsumerVersion>;
  using Provider = RawClient<ProviderVersion>;

  Consumer consumer_client;
  Provider provider_client;
  RawProvider<ProviderVersion> provider;
  typename Consumer::ConnectCall consumer;
  typename ProviderVersion::ListenResponse::OpenChannelResponse offer;
  typename Provider::AcceptCall accept;
  typename ConsumerVersion::ConnectResponse opened;

  RawChannel(Consumer consumers, Provider providers, uint64_t consumer_caps, uint64_t provider_caps)
      : consumer_client(std::move(consumers)),
        provider_client(std::move(providers)),
        provider(provider_client, "edge-1", provider_caps),
        consumer(consumer_client.Open("edge-1", consumer_caps)),
        offer(provider.Offer()),
        accept(provider.Accept(offer.channel_id())),
        opened(consumer.Next()) {
    REQUIRE(opened.has_open_response());
    if (provider_caps != 0) REQUIRE(accept.Next().has_accepted());
  }
  RawChannel(const TestBroker& broker, uint64_t consumer_caps, uint64_t provider_caps)
      : RawChannel(Consumer(broker.address()), Provider(broker.address()), consumer_caps,
                   provider_caps) {}
};

}  // namespace culvert::test
