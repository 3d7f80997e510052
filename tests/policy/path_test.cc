// The path normaliser against a table, against every byte value, and against an independent slow
// reading: whatever a lenient backend makes of a forwarded path, it stays below the route.
#include "policy/path.h"

#include <catch2/catch.hpp>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace reeve::policy {
namespace {

struct Row {
  std::string_view raw;
  std::string_view forward;
  std::string_view match;
};

const std::string_view kMalformed[] = {
    // An inner segment is empty.
    "//",
    "//a",
    "/a//b",
    "/a//",
    // A dot segment in some spelling.
    "/.",
    "/..",
    "/./",
    "/../",
    "/a/../b",
    "/a/./b",
    "/%2e",
    "/%2E%2e/x",
    "/.%2e",
    "/%2e.",
    "/a/%20..",
    "/a/..%20/b",
    "/a/.%20./b",
    "/a/..%3bx/b",
    "/a/..%3fx",
    "/a/..%23",
    "/%252e%252e/x",
    "/%25%32%65",
    "/%25252e/x",
    "/%2525252e%2e/x",
    "/%252%65",
    "/.%252e",
    "/%25u002e%25u002E/x",
    "/%25uff0e./x",
    "/%ef%bc%8e%ef%bc%8e/x",
    "/%ef%bc%8e./x",
    "/a%ef%bc%8f..%ef%bc%8f..",
    "/a%ef%bc%bc..",
    "/a%e2%88%95..",
    "/%25c0%25ae%25c0%25ae/x",
    "/a%25c0%25af..",
    "/%252%2501e",
    "/%252%20e/x",
    // Slashes, backslashes, NUL and control bytes.
    "/a%2fb",
    "/a%2Fb",
    "/..%2f",
    "/a%5cb",
    "/a%5Cb",
    "/a\\b",
    "/..\\",
    "/a%00",
    "/a%0d%0aHost:x",
    "/a%09",
    "/a%7f",
    "/a%252fb",
    "/a%252Fb",
    "/a%255cb",
    "/a%2500",
    "/a%25252f",
    "/a%25%32%66",
    "/a%252%66",
    "/a%25u002fb",
    "/a%25u005c",
    // Bad escapes.
    "/%",
    "/%4",
    "/%4g",
    "/%g4",
    "/%%41",
    "/a%",
    "/%/41",
    "/%u002e",
    "/%-1",
    "/% 1",
    "/%0x",
    // No UTF-8.
    "/%ff",
    "/%c0%ae%c0%ae",
    "/%c0%af",
    "/%e0%80%ae",
    "/%ed%a0%80",
    "/%f4%90%80%80",
    "/%c3",
    "/%c3/%a9",
    "/%80",
    "/%f8%88%80%80%80",
    "/\xff",
    "/%e2%82",
    // Not a path.
    "a",
    "*",
    "/a b",
    "/a?b",
    "/a#b",
    "/a;b",
    "/a;",
    "/;a/b",
    "/..;/a",
    "/.;/a",
};

TEST_CASE("path: what is forwarded and what is matched") {
  const Row rows[] = {
      {"", "/", "/"},
      {"/", "/", "/"},
      {"/a", "/a", "/a"},
      {"/a/", "/a/", "/a"},
      {"/a/b.c/d-e_f~", "/a/b.c/d-e_f~", "/a/b.c/d-e_f~"},
      {"/%61", "/a", "/a"},
      {"/%41%2D%2e%5f%7E9", "/A-._~9", "/A-._~9"},
      {"/a%2eb", "/a.b", "/a.b"},
      {"/...", "/...", "/..."},
      {"/a..b/.hidden", "/a..b/.hidden", "/a..b/.hidden"},
      {"/a%20b", "/a%20b", "/a b"},
      {"/a%c3%a9", "/a%C3%A9", "/a\xc3\xa9"},
      {"/a\xc3\xa9", "/a%C3%A9", "/a\xc3\xa9"},
      {"/%f0%9f%98%80", "/%F0%9F%98%80", "/\xf0\x9f\x98\x80"},
      {"/a%3ab:c@d!$&'()*+,=", "/a%3Ab:c@d!$&'()*+,=", "/a:b:c@d!$&'()*+,="},
      {"/100%25", "/100%25", "/100%"},
      {"/100%25/x", "/100%25/x", "/100%/x"},
      {"/a%2541", "/a%2541", "/a%41"},
      {"/a%25zz", "/a%25zz", "/a%zz"},
      {"/a%3fb%23c", "/a%3Fb%23c", "/a?b#c"},
      {"/a%3bb", "/a%3Bb", "/a;b"},
      {"/a%7cb|c", "/a%7Cb|c", "/a|b|c"},
  };
  NormalPath out;
  for (const Row& row : rows) {
    CAPTURE(row.raw);
    CHECK(normalise_path(row.raw, false, out) == nullptr);
    CHECK(out.forward == row.forward);
    CHECK(out.match == row.match);
  }
}

TEST_CASE("path: what has two readings is malformed") {
  NormalPath out;
  for (std::string_view raw : kMalformed) {
    CAPTURE(raw);
    CHECK(normalise_path(raw, false, out) != nullptr);
  }
}

TEST_CASE("path: parameters where the upstream has them") {
  const Row rows[] = {
      {"/a;b=c/d", "/a;b=c/d", "/a;b=c/d"},
      {"/a;", "/a;", "/a;"},
      {"/a%3Bb", "/a%3Bb", "/a;b"},
  };
  NormalPath out;
  for (const Row& row : rows) {
    CAPTURE(row.raw);
    CHECK(normalise_path(row.raw, true, out) == nullptr);
    CHECK(out.forward == row.forward);
    CHECK(out.match == row.match);
  }
  for (std::string_view raw : {"/..;/a", "/..;x=y/a", "/.;/a", "/%2e%2e;/a", "/.%252e;/a", "/;/a",
                               "/;x", "/..%20;/a", "/a%2fb;c"}) {
    CAPTURE(raw);
    CHECK(normalise_path(raw, true, out) != nullptr);
  }
}

TEST_CASE("path: every byte, raw and escaped") {
  NormalPath out;
  for (int byte = 0; byte < 256; ++byte) {
    CAPTURE(byte);
    const char c = static_cast<char>(byte);
    const bool unreserved = std::isalnum(byte) || (byte && std::strchr("-._~", byte));
    const bool other = byte && std::strchr("!$&'()*+,=:@\"<>[]^`{|}", byte);
    const std::string raw = std::string("/a") + c + "b";
    const bool raw_fits = byte < 0x80 && (unreserved || other || c == '/');
    CHECK((normalise_path(raw, false, out) == nullptr) == raw_fits);

    char escaped[16];
    std::snprintf(escaped, sizeof escaped, "/a%%%02xb", byte);
    const bool escaped_fits = byte >= 0x20 && byte < 0x7f && c != '/' && c != '\\';
    REQUIRE((normalise_path(escaped, false, out) == nullptr) == escaped_fits);
    if (escaped_fits) {
      CHECK(out.match == raw);
      std::string upper = escaped;
      for (size_t i = 3; i < 5; ++i) upper[i] = static_cast<char>(std::toupper(upper[i]));
      CHECK(out.forward == (unreserved ? raw : upper));
    }
  }
}

TEST_CASE("path: a long path costs in proportion, a warm caller allocates nothing") {
  NormalPath out;
  std::string nested = "/%";
  for (int i = 0; i < 100000; ++i) nested += "25";
  CHECK(normalise_path(nested + "41", false, out) == nullptr);
  CHECK(out.forward == nested + "41");
  CHECK(normalise_path(nested + "2f", false, out) != nullptr);
  CHECK(normalise_path(std::string(1000000, '/'), false, out) != nullptr);

  CHECK(normalise_path("/first%20one/second", false, out) == nullptr);
  const char* const forward = out.forward.data();
  const char* const match = out.match.data();
  CHECK(normalise_path("/another%20/%25x", false, out) == nullptr);
  CHECK(out.forward.data() == forward);
  CHECK(out.match.data() == match);
}

// --- The slow reading -----------------------------------------------------------------------

std::string decode_once(const std::string& in) {
  std::string out;
  for (size_t i = 0; i < in.size(); ++i) {
    if (in[i] == '%' && i + 2 < in.size() && std::isxdigit(static_cast<unsigned char>(in[i + 1])) &&
        std::isxdigit(static_cast<unsigned char>(in[i + 2]))) {
      out += static_cast<char>(std::strtol(in.substr(i + 1, 2).c_str(), nullptr, 16));
      i += 2;
    } else {
      out += in[i];
    }
  }
  return out;
}

std::string replaced(std::string in, const std::string& what, const std::string& by) {
  for (size_t at = in.find(what); at != std::string::npos; at = in.find(what, at + by.size())) {
    in.replace(at, what.size(), by);
  }
  return in;
}

std::string without_parameters(const std::string& in) {
  std::string out;
  bool inside = false;
  for (char c : in) {
    if (c == ';') inside = true;
    if (c == '/') inside = false;
    if (!inside) out += c;
  }
  return out;
}

std::string without_blanks(const std::string& in) {
  std::string out;
  for (char c : in) {
    if (static_cast<unsigned char>(c) > 0x20) out += c;
  }
  return out;
}

std::string without_u_escapes(const std::string& in) {
  std::string out = in;
  for (const char* u : {"%u", "%U"}) {
    for (const char* dot : {"002e", "002E", "ff0e", "FF0E", "fF0e"})
      out = replaced(out, u + std::string(dot), ".");
    for (const char* slash : {"002f", "002F", "ff0f", "FF0F", "2215"})
      out = replaced(out, u + std::string(slash), "/");
  }
  return out;
}

// Every path that some backend may take these bytes for.
std::set<std::string> readings(const std::string& path) {
  std::set<std::string> found;
  std::vector<std::string> queue{path};
  while (!queue.empty() && found.size() < 400) {
    const std::string one = queue.back();
    queue.pop_back();
    if (!found.insert(one).second) continue;
    std::string dots = one;
    for (const char* dot : {"\xc0\xae", "\xe0\x80\xae", "\xef\xbc\x8e"})
      dots = replaced(dots, dot, ".");
    std::string slashes = one;
    for (const char* slash : {"\xc0\xaf", "\xef\xbc\x8f"}) slashes = replaced(slashes, slash, "/");
    const std::string cut = one.substr(0, one.find_first_of(std::string("\0?#", 3)));
    for (const std::string& next :
         {decode_once(one), replaced(one, "\\", "/"), without_parameters(one), cut,
          without_blanks(one), dots, slashes, without_u_escapes(one)}) {
      if (!found.contains(next)) queue.push_back(next);
    }
  }
  return found;
}

// Whether resolving dot segments leads out of `/route`.
bool leaves_route(const std::string& path) {
  std::vector<std::string> kept;
  size_t from = 0;
  while (from <= path.size()) {
    const size_t to = std::min(path.find('/', from), path.size());
    const std::string segment = path.substr(from, to - from);
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!segment.empty() && segment != ".") {
      kept.push_back(segment);
    }
    from = to + 1;
  }
  return kept.empty() || kept.front() != "route";
}

TEST_CASE("path: no reading of what is forwarded leaves the route") {
  const std::vector<std::string> pieces = {
      "/",          "/",         "/",         ".",
      "..",         "a",         "%2e",       "%2E",
      "%2f",        "%5c",       "%25",       "%252e",
      "%",          "2e",        "2f",        "25",
      "u002e",      "%25u002e",  "%uff0e",    "%c0%ae",
      "%25c0%25ae", "%ef%bc%8e", "%ef%bc%8f", "%25ef%25bc%258f",
      ";",          "%3b",       "%253b",     "%20",
      "%2520",      "%09",       "%2509",     "%00",
      "\\",         "%3f",       "%253f",     "%23",
      "x",          "5c",        "%2525",     "%32",
      "%65",        "0",         "%e2%88%95", "%25e0%2580%25ae"};
  std::mt19937 random(20261122);
  const char* wanted = std::getenv("REEVE_TEST_LONG");
  const int rounds = wanted != nullptr && wanted[0] == '1' ? 1000000 : 20000;
  int passed = 0;
  NormalPath out;
  for (int round = 0; round < rounds; ++round) {
    std::string raw = "/";
    for (size_t n = 1 + random() % 7; n > 0; --n) raw += pieces[random() % pieces.size()];
    if (normalise_path(raw, random() % 2 == 0, out) != nullptr) continue;
    ++passed;
    for (const std::string& one : readings("/route" + out.forward)) {
      if (!leaves_route(one)) continue;
      CAPTURE(raw, out.forward, one);
      FAIL("a backend can leave the route");
    }
    NormalPath again;
    REQUIRE(normalise_path(out.forward, true, again) == nullptr);
    REQUIRE(again.forward == out.forward);
    REQUIRE(again.match == out.match);
  }
  CHECK(passed > rounds / 50);
}

}  // namespace
}  // namespace reeve::policy
