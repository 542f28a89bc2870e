// What the tests of a consumer's resume have in common.
#pragma once

#include <optional>
#include <string>

#include "tests/integration/sdk_fixture.h"
#include "tests/support/loopback.h"
#include "tests/support/played_provider.h"

namespace culvert::test {

using ResumeRequest = PlayedProvider::Request::ResumeRequest;
using Stream = PlayedProvider::Stream;

// The first path carries no more than this many messages, the others all.
struct Cut {
  explicit Cut(int first_path, PlayedProvider& played) {
    played.messages_of = [first_path](uint32_t attempt) { return attempt == 1 ? first_path : -1; };
  }
};

// A broker with `played` behind it.
inline PlayedBroker::Connect Serving(PlayedProvider& played) {
  return [&played](Stream& stream) { return played.Serve(stream); };
}

}  // namespace culvert::test
