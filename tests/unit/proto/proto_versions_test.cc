// A broker serves both versions with one implementation: the bytes of a v1alpha2 message are those
// of the v1 message with the same content.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <string>
#include <utility>

#include "ntt/proxies/v1/broker.pb.h"
#include "ntt/proxies/v1alpha2/broker.pb.h"
#include "tests/support/catch.h"

namespace {

namespace pb = google::protobuf;
namespace v1 = ntt::proxies::v1;
namespace v1alpha2 = ntt::proxies::v1alpha2;

void Fill(pb::Message& message);

// Gives `field` a value of its own, one element if it is repeated.
void FillField(pb::Message& message, const pb::FieldDescriptor& field) {
  const pb::Reflection& reflection = *message.GetReflection();
  const auto number = static_cast<uint32_t>(field.number());
  const std::string text = "text " + std::to_string(number);
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return reflection.SetBool(&message, &field, true);
    case pb::FieldDescriptor::CPPTYPE_UINT32:
      return reflection.SetUInt32(&message, &field, 1000 + number);
    case pb::FieldDescriptor::CPPTYPE_UINT64:
      return reflection.SetUInt64(&message, &field, (uint64_t{1} << 62) + number);
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return reflection.SetEnum(&message, &field, field.enum_type()->value(1));
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return field.is_repeated() ? reflection.AddString(&message, &field, text)
                                 : reflection.SetString(&message, &field, text);
    case pb::FieldDescriptor::CPPTYPE_MESSAGE:
      return Fill(field.is_repeated() ? *reflection.AddMessage(&message, &field)
                                      : *reflection.MutableMessage(&message, &field));
    default:
      FAIL("no value for a field of type " << field.type_name());
  }
}

void Fill(pb::Message& message) {
  const pb::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) FillField(message, *type.field(i));
}

// DebugString shows unknown fields by number, so a field that `received` lacks makes a difference.
void CheckSame(const pb::Message& sent, pb::Message& received) {
  REQUIRE(received.ParseFromString(sent.SerializeAsString()));
  CHECK(received.DebugString() == sent.DebugString());
  CHECK(received.SerializeAsString() == sent.SerializeAsString());
}

// Sends each member of the oneof of `Old` in turn, with all its fields, and reads it as `New`.
template <typename Old, typename New>
void CheckEveryMember() {
  const pb::Descriptor& type = *Old::descriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    INFO(type.field(i)->full_name());
    Old sent;
    FillField(sent, *type.field(i));
    New received;
    CheckSame(sent, received);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("A v1alpha2 message parses as the v1 message with the same content", "[proto]",
                   (std::pair<v1alpha2::ConnectRequest, v1::ConnectRequest>),
                   (std::pair<v1alpha2::ConnectResponse, v1::ConnectResponse>),
                   (std::pair<v1alpha2::ListenRequest, v1::ListenRequest>),
                   (std::pair<v1alpha2::ListenResponse, v1::ListenResponse>),
                   (std::pair<v1alpha2::AcceptRequest, v1::AcceptRequest>),
                   (std::pair<v1alpha2::AcceptResponse, v1::AcceptResponse>)) {
  CheckEveryMember<typename TestType::first_type, typename TestType::second_type>();
}

TEST_CASE("A v1alpha2 opening read as v1 has no service domain", "[proto]") {
  v1alpha2::ConnectRequest sent;
  sent.mutable_open_request()->set_provider_name("lab");
  v1::ConnectRequest received;
  REQUIRE(received.ParseFromString(sent.SerializeAsString()));
  CHECK(received.open_request().provider_name() == "lab");
  CHECK(received.open_request().service_domain().empty());
}
