// A text in pieces is redacted as it is in one, wherever it is cut.
#include "policy/guard_stream.h"

#include <catch2/catch.hpp>
#include <string>

namespace reeve::policy {
namespace {

GuardInfo make_guard(std::vector<GuardInfo::Finder> finders, GuardInfo::Then then) {
  GuardInfo guard;
  guard.name = "g";
  guard.finders = std::move(finders);
  guard.then = then;
  guard.program = compile_guard(guard);
  return guard;
}

const GuardInfo kPii =
    make_guard({{"email", ""}, {"phone", ""}, {"us-ssn", ""}, {"credit-card", ""}, {"iban", ""}},
               GuardInfo::Then::kRedact);

const std::string kText =
    "Hello Jane, write to jane.doe@example.com or call (415) 555-2671 before noon. The card is "
    "4111 1111 1111 1111, IBAN GB29 NWBK 6016 1331 9268 19 or DE89370400440532013000; ssn "
    "123-45-6789.\nM\xC3\xBCller \xE2\x80\x8B zahlt 4111\xE2\x80\x8B"
    "111111111111 bald. phone: "
    "4155552671 and order 4155552671, ids 1 2 3 4 5 6 7 8 9. The end";

std::string whole(const GuardInfo& guard, const std::string& text) {
  GuardExaminer examiner;
  const GuardInfo* const guards[] = {&guard};
  examiner.use(guards, GuardExaminer::Side::kResult);
  std::string out;
  return examiner.examine_text(text, {}, out).redacted ? out : text;
}

std::string in_pieces(const GuardInfo& guard, const std::string& text, size_t first, size_t size,
                      size_t* most_held = nullptr) {
  GuardExaminer examiner;
  const GuardInfo* const guards[] = {&guard};
  examiner.use(guards, GuardExaminer::Side::kResult);
  GuardTextStream stream(examiner);
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t next = at == 0 && first > 0 ? first : size;
    CHECK(stream.feed(std::string_view(text).substr(at, next), out).doubt[0] == '\0');
    if (most_held) *most_held = std::max(*most_held, stream.held());
    at += std::min(next, text.size() - at);
  }
  CHECK(stream.finish(out).doubt[0] == '\0');
  return out;
}

TEST_CASE("a text that is cut anywhere is redacted as it is in one piece") {
  const std::string expected = whole(kPii, kText);
  CHECK(expected.find("4111") == std::string::npos);
  for (size_t cut = 1; cut < kText.size(); ++cut) {
    INFO(cut);
    CHECK(in_pieces(kPii, kText, cut, kText.size()) == expected);
  }
  for (const size_t size : {1, 2, 3, 5, 7, 16, 64}) {
    INFO(size);
    size_t most_held = 0;
    CHECK(in_pieces(kPii, kText, 0, size, &most_held) == expected);
    CHECK(most_held < 160);
  }
}

TEST_CASE("what is held back is bounded, whatever comes") {
  for (const std::string& text :
       {std::string(100'000, 'a'), std::string(100'000, '7'), std::string(100'000, ' '), [] {
          std::string numbers;
          while (numbers.size() < 100'000) numbers += "12 ";
          return numbers;
        }()}) {
    size_t most_held = 0;
    CHECK(in_pieces(kPii, text, 0, 1000, &most_held).size() == text.size());
    CHECK(most_held <= GuardTextStream::kHeldMost + 1000);
  }
}

TEST_CASE("an expression of the policy's own is found across pieces") {
  const GuardInfo guard = make_guard({{"id", "E\\d{6}"}}, GuardInfo::Then::kRedact);
  const std::string text = std::string(1500, 'x') + " E123456 " + std::string(1500, 'y');
  const std::string expected = whole(guard, text);
  for (size_t cut = 1490; cut < 1515; ++cut) {
    CHECK(in_pieces(guard, text, cut, text.size()) == expected);
  }
  CHECK(in_pieces(guard, text, 0, 1) == expected);
}

TEST_CASE("a match that is longer than what may be held is in doubt") {
  const GuardInfo guard = make_guard({{"run", "a+"}}, GuardInfo::Then::kRedact);
  GuardExaminer examiner;
  const GuardInfo* const guards[] = {&guard};
  examiner.use(guards, GuardExaminer::Side::kResult);
  GuardTextStream stream(examiner);
  std::string out;
  GuardReport report;
  for (int i = 0; i < 20 && report.outcome != GuardReport::Outcome::kDoubt; ++i) {
    report = stream.feed(std::string(1000, 'a'), out);
  }
  CHECK(report.outcome == GuardReport::Outcome::kDoubt);
  CHECK(out.empty());
}

TEST_CASE("nothing is passed on where a guard denies") {
  const GuardInfo guard = make_guard({{"email", ""}}, GuardInfo::Then::kDeny);
  GuardExaminer examiner;
  const GuardInfo* const guards[] = {&guard};
  examiner.use(guards, GuardExaminer::Side::kResult);
  GuardTextStream stream(examiner);
  std::string out;
  CHECK(stream.feed("some words and jane@exam", out).outcome == GuardReport::Outcome::kClean);
  CHECK(out == "some words and ");
  CHECK(stream.feed("ple.com, and more ", out).outcome == GuardReport::Outcome::kDeny);
  CHECK(out == "some words and ");
}

}  // namespace
}  // namespace reeve::policy
