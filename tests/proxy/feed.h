// Feeds a parser in every way that matters: all at once, prefix by prefix, each time in a fresh
// buffer of exactly that size, so that a stale view or a byte read too far shows under ASan.
#ifndef REEVE_TESTS_PROXY_FEED_H_
#define REEVE_TESTS_PROXY_FEED_H_

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/parser.h"

namespace reeve::http::testing {

class Exact {
 public:
  explicit Exact(std::string_view bytes)
      : size_(bytes.size()), data_(new char[bytes.size() + !bytes.size()]) {
    std::copy(bytes.begin(), bytes.end(), data_.get());
  }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<char[]> data_;
};

inline std::string summary(const Fields& fields) {
  std::string out;
  for (const Field& one : fields.list) {
    out.append("|").append(one.name).append("=").append(one.value);
  }
  return out;
}

inline std::string summary(Framing framing, uint64_t length) {
  switch (framing) {
    case Framing::kNone:
      return " none";
    case Framing::kLength:
      return " length " + std::to_string(length);
    case Framing::kChunked:
      return " chunked";
    case Framing::kUntilClose:
      return " until-close";
  }
  return "";
}

inline std::string summary(const RequestHead& head) {
  std::string out(head.method);
  out.append(" ").append(head.path);
  if (head.has_query) out.append("?").append(head.query);
  out.append(" @").append(head.authority);
  if (!head.scheme.empty()) out.append(" ").append(head.scheme);
  if (head.connect) out += " connect";
  if (head.minor_version == 0) out += " 1.0";
  out += summary(head.framing, head.content_length);
  if (!head.keep_alive) out += " close";
  if (head.expect_continue) out += " expect";
  return out;
}

inline std::string summary(const ResponseHead& head) {
  std::string out = std::to_string(head.status);
  out.append(" ").append(head.reason);
  if (head.minor_version == 0) out += " 1.0";
  out += summary(head.framing, head.content_length);
  if (head.has_content_length && head.framing != Framing::kLength) {
    out += " said " + std::to_string(head.content_length);
  }
  if (!head.keep_alive) out += " close";
  return out;
}

// What came of a parse: the fault's status, "more", or the head and what is left over.
template <class Parser>
std::string outcome(const Parser& parser, Progress progress, std::string_view buffer) {
  switch (progress) {
    case Progress::kMore:
      return "more";
    case Progress::kFault:
      return std::to_string(parser.fault().status);
    case Progress::kDone:
      break;
  }
  std::string out = summary(parser.head()) + summary(parser.head().fields);
  const std::string_view rest = buffer.substr(parser.head_bytes());
  if (!rest.empty()) out.append(" + ").append(rest);
  return out;
}

// `parser` is fresh. Checks that every cut gives the same outcome as no cut, and returns it.
template <class Make>
std::string feed(Make make, std::string_view bytes) {
  auto whole = make();
  const Exact all(bytes);
  const Progress progress = whole.parse(all.view());
  const std::string expected = outcome(whole, progress, bytes);
  // One byte more each time.
  auto dripped = make();
  Progress last = Progress::kMore;
  size_t size = 0;
  while (last == Progress::kMore && size < bytes.size()) {
    const Exact some(bytes.substr(0, ++size));
    last = dripped.parse(some.view());
    if (last != Progress::kMore) {
      std::string got = outcome(dripped, last, some.view());
      if (last == Progress::kDone && size < bytes.size()) {
        got.append(" + ").append(bytes.substr(size));
      }
      CHECK(got == expected);
      return expected;
    }
  }
  CHECK(expected == "more");
  return expected;
}

// Cut once, at each position.
template <class Make>
void feed_in_two(Make make, std::string_view bytes, const std::string& expected) {
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    auto parser = make();
    const Exact first(bytes.substr(0, cut));
    Progress progress = parser.parse(first.view());
    if (progress != Progress::kMore) continue;
    const Exact all(bytes);
    progress = parser.parse(all.view());
    CAPTURE(cut);
    CHECK(outcome(parser, progress, bytes) == expected);
  }
}

}  // namespace reeve::http::testing

#endif  // REEVE_TESTS_PROXY_FEED_H_
