// What guards cost: microseconds to examine a value that is parsed already and holds nothing that
// is looked for, so that all of it is looked at. One thread, warm, the best of 20 rounds.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "policy/guard.h"
#include "policy/json.h"

namespace {

using namespace reeve::policy;

GuardInfo make_guard(std::vector<GuardInfo::Finder> finders, std::vector<std::string> fields) {
  GuardInfo guard;
  guard.name = "g";
  guard.finders = std::move(finders);
  guard.fields = std::move(fields);
  guard.program = compile_guard(guard);
  return guard;
}

// A tool's result with one long text.
std::string text_of(size_t size) {
  const std::string_view piece =
      "The customer asked about order 4711 of 2026-11-24 (total 129.90 EUR); shipping to Berlin, "
      "phone on file, ref ";
  std::string text = "{\"content\":[{\"type\":\"text\",\"text\":\"";
  while (text.size() < size - 5) text += piece;
  text.resize(size - 5);
  return text + "\"}]}";
}

// Many small values.
std::string rows_of(size_t size) {
  std::string rows = "{\"rows\":[";
  for (int i = 0; rows.size() < size - 60; ++i) {
    rows += fmt::format("{}{{\"id\":{},\"name\":\"Jane\",\"city\":\"Berlin\"}}", i > 0 ? "," : "",
                        100'000 + i);
  }
  return rows + "]}";
}

double microseconds(const std::vector<const GuardInfo*>& guards, const std::string& text) {
  reeve::json::Parser parser;
  const auto value = parser.parse(text);
  GuardExaminer examiner;
  examiner.use(guards, GuardExaminer::Side::kResult);
  std::string out;
  double best = 1e9;
  const int calls = static_cast<int>(2'000'000 / text.size());
  for (int round = 0; round < 20; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) {
      const GuardReport report = examiner.examine(*value, GuardExaminer::Root::kMcpResult, out);
      if (report.outcome != GuardReport::Outcome::kClean) std::abort();
    }
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
    best = std::min(best, took.count() / calls);
  }
  return best;
}

}  // namespace

int main() {
  const GuardInfo built_in = make_guard(
      {{"email", ""}, {"phone", ""}, {"us-ssn", ""}, {"credit-card", ""}, {"iban", ""}}, {});
  const GuardInfo expression = make_guard({{"id", "E\\d{6}"}}, {});
  const GuardInfo places = make_guard({}, {"*.birth_date", "customer.name"});
  const std::pair<const char*, std::vector<const GuardInfo*>> rows[] = {
      {"built-in", {&built_in}},
      {"built-in, an expression", {&built_in, &expression}},
      {"built-in, two places", {&built_in, &places}},
  };
  for (const size_t size : {500, 8192}) {
    for (const auto& [name, guards] : rows) {
      fmt::print("{:>5} bytes, {:<24} one text {:>7.2f} us, rows {:>7.2f} us\n", size, name,
                 microseconds(guards, text_of(size)), microseconds(guards, rows_of(size)));
    }
  }
}
