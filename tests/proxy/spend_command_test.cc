// What `reeve spend` adds up from a record, and how it shows budgets.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "proxy/commands/spend_print.h"
#include "proxy/commands/spend_record.h"

namespace reeve::commands {
namespace {

using policy::kMicrosPerUnit;
using policy::Time;

// A record of these lines: kind, second of the day, members.
struct Written {
  const char* kind;
  int second;
  std::string members;
};

class RecordFiles {
 public:
  RecordFiles() {
    std::string name = (std::filesystem::temp_directory_path() / "reeve-spend-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~RecordFiles() { std::filesystem::remove_all(folder_); }
  std::string write(const char* name, std::initializer_list<Written> lines) {
    const std::string path = folder_ + "/" + name;
    std::ofstream out(path);
    const std::string zeros(64, '0');
    for (const Written& line : lines) {
      out << R"({"v":1,"seq":)" << ++seq_ << R"(,"time":"2026-11-20T00:00:)"
          << (line.second < 10 ? "0" : "") << line.second << R"(.000000Z","kind":")" << line.kind
          << '"' << line.members << R"(,"prev":")" << zeros << R"(","hash":")" << zeros << "\"}\n";
    }
    return path;
  }

 private:
  std::string folder_;
  uint64_t seq_ = 0;
};

std::string call(const char* id, const char* agent, const char* more) {
  return std::string(R"(,"call":")") + id + R"(","agent":")" + agent +
         R"(","team":"t","upstream":"api",)" + more;
}

TEST_CASE("the record's costs are added up by agent, team and upstream", "[spend][command]") {
  RecordFiles record;
  const std::string first = record.write(
      "a", {{"decision", 1, call("1", "jordan", R"("decision":"allow","reserved":0.3)")},
            {"outcome", 2, call("1", "jordan", R"("status":200,"cost":0.1,"upstream_ms":1.000)")},
            {"decision", 3, call("2", "robin", R"("decision":"allow","reserved":5)")},
            // Refused: it cost nothing and did not go out.
            {"decision", 4, call("3", "jordan", R"("decision":"deny")")},
            {"outcome", 4, call("3", "jordan", R"("status":402,"cost":0)")}});
  const std::string second = record.write(
      "b",
      {{"outcome", 10,
        call("2", "robin",
             R"("status":200,"cost":0.000001,"tokens_in":7,"tokens_out":9,"upstream_ms":1.000)")},
       {"decision", 11, call("4", "jordan", R"("decision":"allow","reserved":0.25)")}});

  const auto all = sum_record({first, second}, {});
  REQUIRE(all);
  CHECK(all->since == "2026-11-20T00:00:01.000000Z");
  CHECK(all->all.cost == 100'001);
  CHECK(all->all.reserved == 250'000);
  CHECK(all->all.total() == 350'001);
  CHECK(all->all.calls == 3);
  CHECK(all->agents.at("jordan").cost == 100'000);
  CHECK(all->agents.at("jordan").reserved == 250'000);
  CHECK(all->agents.at("robin").tokens_in == 7);
  CHECK(all->agents.at("robin").tokens_out == 9);
  CHECK(all->teams.at("t").total() == 350'001);
  CHECK(all->upstreams.at("api").calls == 3);

  SpendFilter robin;
  robin.agents = {"robin"};
  CHECK(sum_record({first, second}, robin)->all.total() == 1);
  SpendFilter late;
  late.since = "2026-11-20T00:00:10.000000Z";
  const auto since = sum_record({first, second}, late);
  // What was decided before and ended after counts; what ended before does not.
  CHECK(since->all.total() == 250'001);
  CHECK(since->all.calls == 2);
}

TEST_CASE("a call that a crash cut off costs what was reserved", "[spend][command]") {
  RecordFiles record;
  const std::string path = record.write(
      "a", {{"decision", 1, call("1", "jordan", R"("decision":"allow","reserved":2)")},
            {"start", 5, R"(,"torn":true)"},
            {"decision", 6, call("2", "jordan", R"("decision":"allow","reserved":3)")}});
  const auto sums = sum_record({path}, {});
  REQUIRE(sums);
  CHECK(sums->all.cost == 2 * kMicrosPerUnit);
  CHECK(sums->all.reserved == 3 * kMicrosPerUnit);
  CHECK(sums->all.calls == 2);
}

TEST_CASE("what is no line of a record is counted, and a missing file is said",
          "[spend][command]") {
  RecordFiles record;
  const std::string path = record.write("a", {{"start", 1, ""}});
  std::ofstream(path, std::ios::app) << "{\"agent\":\"jordan\",\"cost\":5}\n";
  const auto sums = sum_record({path}, {});
  REQUIRE(sums);
  CHECK(sums->unread == 1);
  CHECK(sums->all.total() == 0);
  CHECK(!sum_record({path + ".gone"}, {}));
}

// ---------------------------------------------------------------------------------------------

constexpr const char* kBudgets = R"({"budgets":[
  {"budget":"daily","scope":"agent:jordan","unit":"money","currency":"USD","period":"day",
   "limit":"10","used":"5","reserved":"2.5","warn":70,"resets":"2026-11-21T00:00:00Z"},
  {"budget":"ever","scope":"everyone","unit":"calls","currency":"","period":"total",
   "limit":"3","used":"4","reserved":"0"}]})";

TEST_CASE("budgets are shown with what is used, bars and until when", "[spend][command]") {
  const auto rows = read_budgets(kBudgets);
  REQUIRE(rows);
  REQUIRE(rows->size() == 2);
  const Time now{std::chrono::seconds{1795219200} - std::chrono::minutes{90}};  // 21 Nov. 2026
  CHECK(budget_table(*rows, now, {}) ==
        "BUDGET  OF             USED  SPENT  UNDER WAY             LIMIT    BEGINS ANEW\n"
        "daily   agent:jordan   75 %      5        2.5    10 USD per day  in 1 h 30 min\n"
        "ever    everyone      133 %      4          0  3 calls in total          never\n");
  const std::string bars = budget_table(*rows, now, {.bars = true, .colour = false});
  CHECK(bars.find("[##########+++++-----]") != std::string::npos);
  CHECK(bars.find("[####################]") != std::string::npos);
  CHECK(bars.find('\x1b') == std::string::npos);
  const std::string coloured = budget_table(*rows, now, {.bars = true, .colour = true});
  CHECK(coloured.find("\x1b[33m[##########+++++-----]\x1b[0m") != std::string::npos);
  CHECK(coloured.find("\x1b[31m133 %\x1b[0m") != std::string::npos);
  CHECK(budget_table({}, now, {}) == "no budget is meant\n");
}

TEST_CASE("an answer that is none of budgets is not read", "[spend][command]") {
  for (const char* text :
       {"", "[]", "{}", R"({"budgets":{}})", R"({"budgets":[1]})",
        R"({"budgets":[{"budget":"a","limit":"x","used":"1","reserved":"0"}]})",
        R"({"budgets":[{"budget":"a","limit":"1","used":"1","reserved":"0","resets":"soonZ"}]})"}) {
    CAPTURE(text);
    CHECK(!read_budgets(text));
  }
}

TEST_CASE("the time until a budget begins anew", "[spend][command]") {
  const Time now{};
  const auto in = [now](int64_t seconds) {
    return time_until(now + std::chrono::seconds(seconds), now);
  };
  CHECK(in(-5) == "now");
  CHECK(in(0) == "now");
  CHECK(in(59) == "in 59 s");
  CHECK(in(60) == "in 1 min");
  CHECK(in(3599) == "in 59 min 59 s");
  CHECK(in(3600) == "in 1 h");
  CHECK(in(5400) == "in 1 h 30 min");
  CHECK(in(86'400) == "in 1 d");
  CHECK(in(20 * 86'400 + 3 * 3600) == "in 20 d 3 h");
}

TEST_CASE("tables of what was spent are sorted by it", "[spend][command]") {
  SpendSums sums;
  CHECK(spent_tables(sums, "USD") == "\nthe record has no such call that went out\n");
  sums.agents["a"] = {.cost = 10, .reserved = 0, .calls = 1};
  sums.agents["b"] = {.cost = 5, .reserved = 2'000'000, .calls = 2};
  const std::string text = spent_tables(sums, "USD");
  CHECK(text.find("AGENT  CALLS          COST  UNDER WAY  TOKENS IN  TOKENS OUT\n"
                  "b          2  0.000005 USD      2 USD          0           0\n"
                  "a          1   0.00001 USD      0 USD          0           0\n") !=
        std::string::npos);
}

}  // namespace
}  // namespace reeve::commands
