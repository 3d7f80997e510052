// The labelled set of tests/data/guards: how many of the built-in kinds are missed, and how many
// false alarms there are. Its lines are {"text", "finds"}: what must be found there by the kind
// that names the file; of none.jsonl nothing by any. The figures stand in policy/README.md.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "policy/guard.h"
#include "policy/json.h"

namespace reeve::policy {
namespace {

struct Figures {
  size_t texts = 0;
  size_t expected = 0;  // places that must be found
  size_t misses = 0;
  size_t alarms = 0;  // places that were found and must not be
};

// Where redaction replaced something, in `text`: the parts before and after are equal, so what was
// found is told by taking the marks out.
struct Found {
  std::string kept;               // with \x01 for each mark
  std::vector<std::string> gone;  // what the marks stand for
};

Found find(const GuardInfo& guard, std::string_view text) {
  const GuardInfo* const guards[] = {&guard};
  GuardExaminer examiner;
  examiner.use(guards, GuardExaminer::Side::kResult);
  std::string out;
  const GuardReport report = examiner.examine_text(text, {}, out);
  REQUIRE(report.outcome != GuardReport::Outcome::kDoubt);
  Found found;
  if (!report.redacted) return found;
  size_t at = 0;
  for (size_t i = 0; i < out.size();) {
    if (out.compare(i, 11, "[redacted: ") == 0) {
      i = out.find(']', i) + 1;
      // What follows the mark, up to the next one, goes on in the text.
      const size_t next = out.find("[redacted: ", i);
      const std::string rest = out.substr(i, next == out.npos ? next : next - i);
      const size_t end = next == out.npos ? text.size() - rest.size()
                         : rest.empty()   ? at
                                          : text.find(rest, at + 1);
      found.gone.emplace_back(text.substr(at, end - at));
      at = end;
    } else {
      ++i;
      ++at;
    }
  }
  return found;
}

GuardInfo guard_of(std::vector<std::string> kinds) {
  GuardInfo guard;
  guard.name = "g";
  for (std::string& kind : kinds) guard.finders.push_back({std::move(kind), {}});
  guard.program = compile_guard(guard);
  return guard;
}

Figures measure(const std::string& file, const GuardInfo& guard) {
  std::ifstream in(std::string(REEVE_SOURCE_DIR) + "/tests/data/guards/" + file + ".jsonl");
  REQUIRE(in);
  Figures figures;
  json::Parser parser;
  for (std::string line; std::getline(in, line);) {
    const auto root = parser.parse(line);
    REQUIRE(root);
    ++figures.texts;
    std::string scratch;
    const std::string text(root->find("text")->text(scratch));
    Found found = find(guard, text);
    for (const json::Value item : root->find("finds")->items()) {
      ++figures.expected;
      const std::string want(item.text(scratch));
      const auto hit = std::find_if(found.gone.begin(), found.gone.end(), [&](const auto& gone) {
        return gone.find(want) != std::string::npos;
      });
      if (hit == found.gone.end()) {
        ++figures.misses;
        fmt::print("  {}: misses {}\n", file, line);
      } else {
        found.gone.erase(hit);
      }
    }
    figures.alarms += found.gone.size();
    for (const std::string& gone : found.gone) {
      fmt::print("  {}: false alarm `{}` in {}\n", file, gone, line);
    }
  }
  return figures;
}

TEST_CASE("the labelled set: misses and false alarms of each kind") {
  struct Row {
    const char* file;
    size_t misses;
    size_t alarms;
  };
  const Row rows[] = {
      {"credit-card", 2, 0}, {"iban", 0, 0},  {"email", 2, 0},
      {"us-ssn", 1, 0},      {"phone", 4, 0}, {"none", 0, 0},
  };
  size_t texts = 0;
  for (const Row& row : rows) {
    const bool all = std::string_view(row.file) == "none";
    const GuardInfo guard =
        all ? guard_of({"credit-card", "iban", "email", "us-ssn", "phone"}) : guard_of({row.file});
    const Figures figures = measure(row.file, guard);
    fmt::print("{:<12} {:>4} texts, {:>3} to find, {} missed, {} false alarms\n", row.file,
               figures.texts, figures.expected, figures.misses, figures.alarms);
    CHECK(figures.misses == row.misses);
    CHECK(figures.alarms == row.alarms);
    texts += figures.texts;
  }
  CHECK(texts >= 400);
}

}  // namespace
}  // namespace reeve::policy
