#include "config/names.h"

#include <string>

#include "tests/support/catch.h"

namespace culvert::config {
namespace {

TEST_CASE("ParseAgentName takes 1 to 128 plain bytes", "[names]") {
  for (const std::string& name : {std::string("edge-1"), std::string("a"), std::string("1"),
                                  std::string("A.b_c-D"), std::string(128, 'x')}) {
    CAPTURE(name);
    REQUIRE(ParseAgentName(name).ok());
    CHECK(*ParseAgentName(name) == name);
  }
  for (const std::string& name :
       {std::string(), std::string("-a"), std::string(".a"), std::string("_a"), std::string("a b"),
        std::string("a/b"), std::string("a:b"), std::string("a@b"), std::string("caf\xc3\xa9"),
        std::string("a\0b", 3), std::string(129, 'x')}) {
    CAPTURE(name);
    CHECK(ParseAgentName(name).status().message() ==
          "a name is 1 to 128 of A-Z, a-z, 0-9, '.', '_', '-' and starts with a letter or digit");
  }
}

TEST_CASE("ParseProject stores a bare id under projects/", "[names]") {
  CHECK(*ParseProject("lab") == "projects/lab");
  CHECK(*ParseProject("projects/lab") == "projects/lab");
  CHECK(*ParseProject("_a.b-c") == "projects/_a.b-c");
  CHECK(*ParseProject("projects") == "projects/projects");
  for (const std::string& text :
       {std::string(), std::string("projects/"), std::string("/lab"), std::string("projects/a/b"),
        std::string("projects/projects/a"), std::string("-a"), std::string(".a"),
        std::string("a b"), std::string(129, 'x')}) {
    CAPTURE(text);
    CHECK_FALSE(ParseProject(text).ok());
  }
}

TEST_CASE("ParseRegion takes an id or nothing", "[names]") {
  CHECK(*ParseRegion("") == "");
  CHECK(*ParseRegion("eu-1") == "eu-1");
  CHECK_FALSE(ParseRegion("eu/1").ok());
  CHECK_FALSE(ParseRegion("-").ok());
}

TEST_CASE("ParseServiceDomain takes a DNS name or nothing", "[names]") {
  CHECK(*ParseServiceDomain("") == "");
  CHECK(*ParseServiceDomain("svc.example") == "svc.example");
  for (const char* text : {"Svc.example", "10.0.0.1", "::1", "a..b", "a b"}) {
    CAPTURE(text);
    CHECK(ParseServiceDomain(text).status().message() == "expected a lower-case DNS name");
  }
}

TEST_CASE("CleanName always makes an agent name", "[names]") {
  CHECK(CleanName("ann@laptop") == "ann-laptop");
  CHECK(CleanName("@laptop") == "laptop");
  CHECK(CleanName("ann@") == "ann-");
  CHECK(CleanName("DOMAIN\\ann@pc.lan") == "DOMAIN-ann-pc.lan");
  CHECK(CleanName("@") == "culvert");
  CHECK(CleanName("") == "culvert");
  for (const std::string& text :
       {std::string("caf\xc3\xa9"), std::string(500, 'x'), std::string("\n..a b")}) {
    CHECK(ParseAgentName(CleanName(text)).ok());
  }
}

}  // namespace
}  // namespace culvert::config
