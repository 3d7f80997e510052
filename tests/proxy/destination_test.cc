// The one form of `host:port`, and every spelling that some other program would take for another.
#include "proxy/destination.h"

#include <catch2/catch.hpp>
#include <string>

#include "policy/malformed.h"

namespace reeve {
namespace {

std::string target(std::string_view text, uint16_t port = 0) {
  const auto found = parse_destination(text, port);
  return found ? found->target : "malformed";
}

TEST_CASE("a destination has one form, which rules can read") {
  const struct {
    const char* text;
    const char* target;
  } rows[] = {
      {"docs.acme.example:443", "docs.acme.example:443"},
      {"DOCS.Acme.Example:443", "docs.acme.example:443"},
      {"a_b.example:1", "a_b.example:1"},
      {"localhost:65535", "localhost:65535"},
      {"xn--bcher-kva.example:443", "xn--bcher-kva.example:443"},
      {"127.0.0.1:80", "127.0.0.1:80"},
      {"255.255.255.255:80", "255.255.255.255:80"},
      {"[::1]:443", "[::1]:443"},
      {"[0:0:0:0:0:0:0:1]:443", "[::1]:443"},
      {"[2606:4700:0:0::ABCD]:443", "[2606:4700::abcd]:443"},
      {"1.2.3.4.example:80", "1.2.3.4.example:80"},
      {"0x7f.example:80", "0x7f.example:80"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    CHECK(target(row.text) == row.target);
    policy::Call call;
    call.kind = policy::Kind::kConnect;
    call.target = row.target;
    CHECK(policy::malformed(call) == nullptr);
  }
  CHECK(target("a.example", 80) == "a.example:80");
  CHECK(target("a.example:8080", 80) == "a.example:8080");
}

TEST_CASE("what can be read in two ways is malformed") {
  const std::string label(63, 'a');
  const std::string name = label + "." + label + "." + label + "." + std::string(61, 'a');
  CHECK(target(name + ":443") == name + ":443");
  const std::string bad[] = {
      name + "a:443",
      label + "a.example:443",
      "",
      ":443",
      "a.example",
      "a.example:",
      "a.example:0",
      "a.example:65536",
      "a.example:0443",
      "a.example:+443",
      "a.example:443 ",
      "a.example:443:443",
      "a.example.:443",
      ".a.example:443",
      "a..example:443",
      "user@a.example:443",
      "user:secret@a.example:443",
      "a%2eexample:443",
      "a.example/:443",
      "a~b.example:443",
      "0x7f.1:443",
      "0x7f000001:443",
      "0X7F000001:443",
      "2130706433:443",
      "127.1:443",
      "127.0.1:443",
      "0177.0.0.1:443",
      "127.0.0.01:443",
      "127.0.0.0x1:443",
      "127.0.0.0x:443",
      "127.0.0.1.:443",
      "127.0.0.256:443",
      "1.2.3.4.5:443",
      "a.example.1:443",
      "a.0x7f:443",
      "4294967296:443",
      "::1:443",
      "[::1]",
      "[::1]443",
      "[::1%1]:443",
      "[::1%25eth0]:443",
      "[v1.a]:443",
      "[::ffff:127.0.0.1]:443",
      "[::ffff:7f00:1]:443",
      "[127.0.0.1]:443",
      "[::1:443",
      "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1:443",  // full-width digits
      "b\xc3\xbc"
      "cher.example:443",
      "a\xe3\x80\x82"
      "example:443",  // an ideographic full stop
  };
  for (const std::string& text : bad) {
    CAPTURE(text);
    CHECK(target(text) == "malformed");
  }
}

TEST_CASE("an address is told from a name") {
  CHECK(parse_destination("127.0.0.1:1", 0)->address);
  CHECK(parse_destination("[::1]:1", 0)->address);
  CHECK(parse_destination("[::1]:1", 0)->host == "::1");
  CHECK_FALSE(parse_destination("a.example:1", 0)->address);
}

}  // namespace
}  // namespace reeve
