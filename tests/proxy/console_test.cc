// The console's side in the sidecar: sessions and their cookie, whose page asks, its files, and
// what it asks of the record.
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <set>

#include "audit_record.h"
#include "proxy/audit/backward.h"
#include "proxy/audit/follower.h"
#include "proxy/console/assets.h"
#include "proxy/console/record_search.h"
#include "proxy/console/same_origin.h"
#include "proxy/console/sessions.h"

namespace reeve::console {
namespace {

using audit::at_second;
using audit::TempFolder;

http::Fields fields_of(std::initializer_list<policy::Field> list) {
  http::Fields fields;
  fields.list.assign(list);
  return fields;
}

TEST_CASE("a session is its cookie's, for a while") {
  Sessions sessions;
  const Steady start{};
  const std::string id = sessions.open({AdminRole::kApprover, "lee"}, start);
  CHECK(id.size() == 64);
  REQUIRE(sessions.find(id, start) != nullptr);
  CHECK(sessions.find(id, start)->person == "lee");
  CHECK(sessions.find(id.substr(1), start) == nullptr);
  CHECK(sessions.find("", start) == nullptr);
  SECTION("it ends when it is not used") {
    CHECK(sessions.find(id, start + std::chrono::minutes(29)) != nullptr);
    CHECK(sessions.find(id, start + std::chrono::minutes(58)) != nullptr);
    CHECK(sessions.find(id, start + std::chrono::minutes(88)) == nullptr);
  }
  SECTION("it ends, however much it is used") {
    for (int minute = 0; minute < 12 * 60; minute += 10) {
      CHECK(sessions.find(id, start + std::chrono::minutes(minute)) != nullptr);
    }
    CHECK(sessions.find(id, start + std::chrono::hours(12)) == nullptr);
  }
  SECTION("it ends by signing out") {
    sessions.close(id);
    CHECK(sessions.find(id, start) == nullptr);
  }
  SECTION("there are only so many: the one that rests longest makes room") {
    std::set<std::string> ids;
    for (size_t i = 1; i < Sessions::kMost; ++i) {
      ids.insert(sessions.open({}, start + std::chrono::seconds(1)));
    }
    CHECK(ids.size() == Sessions::kMost - 1);
    CHECK(sessions.find(id, start + std::chrono::seconds(2)) != nullptr);
    ids.insert(sessions.open({}, start + std::chrono::seconds(3)));
    CHECK(sessions.size() == Sessions::kMost);
    CHECK(sessions.find(id, start + std::chrono::seconds(3)) != nullptr);
  }
}

TEST_CASE("the cookie is the only one of its name") {
  const auto value = [](std::string_view cookie) {
    return std::string(cookie_of(fields_of({{"Cookie", cookie}}), "reeve-8701").value_or("-"));
  };
  CHECK(value("reeve-8701=abc") == "abc");
  CHECK(value("a=b; reeve-8701=abc; c=d") == "abc");
  CHECK(value("reeve-8701=") == "");
  CHECK(value("reeve-8701=a; reeve-8701=b") == "-");
  CHECK(value("reeve-87011=a") == "-");
  CHECK(value("xreeve-8701=a; reeve-8701") == "-");
  CHECK(value(";;; ;") == "-");
  CHECK_FALSE(cookie_of(fields_of({{"Cookie", "reeve-8701=a"}, {"cookie", "x=y"}}), "reeve-8701"));
  CHECK(set_cookie("reeve-8701", "abc", false) ==
        "reeve-8701=abc; Path=/; HttpOnly; SameSite=Strict");
  CHECK(set_cookie("reeve-8701", "", true) ==
        "reeve-8701=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0; Secure");
}

TEST_CASE("whose page asks") {
  struct Row {
    const char *origin, *site;  // null: none
    From from;
  };
  for (const Row& row : {
           Row{nullptr, nullptr, From::kNoPage},
           Row{nullptr, "none", From::kNoPage},
           Row{nullptr, "same-origin", From::kNoPage},
           Row{"http://127.0.0.1:8701", nullptr, From::kOwnPage},
           Row{"http://127.0.0.1:8701", "same-origin", From::kOwnPage},
           Row{"https://127.0.0.1:8701", "same-origin", From::kOwnPage},
           Row{"http://127.0.0.1:8701", "same-site", From::kOtherPage},
           Row{nullptr, "same-site", From::kOtherPage},
           Row{nullptr, "cross-site", From::kOtherPage},
           Row{"http://127.0.0.1:8702", nullptr, From::kOtherPage},
           Row{"http://localhost:8701", nullptr, From::kOtherPage},
           Row{"http://127.0.0.1:8701.evil.example", nullptr, From::kOtherPage},
           Row{"http://evil.example", "same-origin", From::kOtherPage},
           Row{"null", nullptr, From::kOtherPage},
           Row{"", nullptr, From::kOtherPage},
           Row{"127.0.0.1:8701", nullptr, From::kOtherPage},
           Row{"ftp://127.0.0.1:8701", nullptr, From::kOtherPage},
       }) {
    CAPTURE(row.origin ? row.origin : "-", row.site ? row.site : "-");
    http::RequestHead head;
    head.authority = "127.0.0.1:8701";
    if (row.origin) head.fields.list.push_back({"Origin", row.origin});
    if (row.site) head.fields.list.push_back({"Sec-Fetch-Site", row.site});
    CHECK(from_page(head) == row.from);
  }
  http::RequestHead twice;
  twice.authority = "a";
  twice.fields = fields_of({{"Origin", "http://a"}, {"Origin", "http://a"}});
  CHECK(from_page(twice) == From::kOtherPage);
}

TEST_CASE("the page's files are in the binary") {
  size_t bytes = 0;
  for (const File& file : kFiles) {
    bytes += file.bytes.size();
    const Asset* const asset = find_asset(file.path);
    REQUIRE(asset != nullptr);
    std::ifstream in(std::string(REEVE_SOURCE_DIR "/proxy/console/page/") +
                     (file.path == "/" ? "index.html" : std::string(file.path.substr(1))));
    const std::string source{std::istreambuf_iterator<char>(in), {}};
    CHECK(asset->bytes == source);
    CHECK(has_it(fields_of({{"If-None-Match", asset->etag}}), *asset));
    CHECK_FALSE(has_it(fields_of({{"If-None-Match", "\"x\""}}), *asset));
  }
  CHECK(bytes > 10'000);
  CHECK(bytes < 150'000);
  CHECK(find_asset("/")->type.starts_with("text/html"));
  CHECK(find_asset("/index.html") == nullptr);
  CHECK(find_asset("/../admin.h") == nullptr);
}

// Two lines for each call of three agents, every third of them refused; six files and more than one
// block in some.
std::string make(const TempFolder& folder, int calls) {
  const std::string path = folder.file("audit.jsonl");
  auto journal = Journal::open(JournalOptions{.path = path, .rotate = 1'500'000});
  REQUIRE(journal.ok());
  for (int i = 0; i < calls; ++i) {
    const std::string agent = i % 3 == 0 ? "ann" : i % 3 == 1 ? "b\"ob" : "cy";
    std::string members = ",\"call\":\"c" + std::to_string(i) + "\",\"agent\":";
    json::append_string(members, agent);
    const std::string decided =
        members +
        (i % 3 == 0 ? ",\"decision\":\"deny\",\"reason\":\"default\""
                    : ",\"decision\":\"allow\",\"reason\":\"rule\",\"rule\":\"r\"") +
        ",\"pad\":\"" + std::string(200, 'p') + "\"";
    REQUIRE((*journal)->append("decision", decided, at_second(i)));
    REQUIRE((*journal)->append("outcome", members + ",\"cost\":0.5,\"ms\":1", at_second(i)));
  }
  return path;
}

std::vector<int64_t> seqs(const AdminReply& reply) {
  std::vector<int64_t> all;
  const auto value = boost::json::parse(reply.body);
  for (const auto& line : value.at("lines").as_array()) all.push_back(line.at("seq").as_int64());
  return all;
}

TEST_CASE("the record is asked from its end, page by page") {
  constexpr int kCalls = 12'000;
  const TempFolder folder;
  const std::string path = make(folder, kCalls);
  REQUIRE(audit::rotated_files(path).size() > 2);
  const policy::Time now = at_second(kCalls);
  const auto ask = [&](std::string_view query) { return search_record(path, query, now); };
  const auto last = seqs(ask("limit=3"));
  CHECK(last == std::vector<int64_t>{24'000, 23'999, 23'998});
  CHECK(seqs(ask("kind=decision&limit=2")) == std::vector<int64_t>{23'999, 23'997});
  CHECK(seqs(ask("agent=b%22ob&kind=outcome&limit=2")) == std::vector<int64_t>{23'998, 23'992});
  CHECK(seqs(ask("text=%22call%22:%22c7%22")) == std::vector<int64_t>{});  // escaped as a text
  CHECK(seqs(ask("call=c7")) == std::vector<int64_t>{16, 15});
  CHECK(seqs(ask("text=b%22ob&limit=1")) == std::vector<int64_t>{23'998});
  CHECK(seqs(ask("before=10&limit=500")).size() == 9);
  CHECK(seqs(ask("tool=nothing")).empty());
  CHECK(ask("tool=nothing").body.ends_with("\"complete\":true}"));
  CHECK(ask("limit=1").body.ends_with("\"complete\":false,\"next\":24000}"));
  // All of them, by pages.
  std::string query = "kind=outcome&limit=500";
  int64_t expected = 24'000;
  for (;;) {
    const AdminReply reply = ask(query);
    REQUIRE(reply.status == 200);
    for (const int64_t seq : seqs(reply)) {
      REQUIRE(seq == expected);
      expected -= 2;
    }
    const auto value = boost::json::parse(reply.body);
    const auto* const next = value.as_object().if_contains("next");
    if (next == nullptr) break;
    query = "kind=outcome&limit=500&before=" + std::to_string(next->as_int64());
  }
  CHECK(expected == 0);
  for (const char* bad :
       {"limit=0", "limit=x", "before=-1", "since=noon", "nonsense=1", "agent=%zz", "text=%ff"}) {
    CAPTURE(bad);
    CHECK(ask(bad).status == 400);
  }
  CHECK(ask("agent=" + std::string(1025, 'a')).status == 400);
}

TEST_CASE("what agents did lately is counted") {
  constexpr int kCalls = 9000;
  const TempFolder folder;
  const std::string path = make(folder, kCalls);
  const auto ask = [&](std::string_view query) {
    return read_activity(path, query, at_second(kCalls));
  };
  const auto value = boost::json::parse(ask("since=1h").body);
  CHECK(value.at("complete").as_bool());
  CHECK(value.at("by_default").as_int64() == 1200);
  CHECK(value.at("rules").at(0).at("count").as_int64() == 2400);
  REQUIRE(value.at("agents").as_array().size() == 3);
  const auto& ann = value.at("agents").at(0);
  CHECK(ann.at("agent") == "ann");
  int64_t refused = 0;
  double spent = 0;
  for (int i = 0; i < 60; ++i) {
    refused += ann.at("refused").at(i).as_int64();
    spent += ann.at("spent").at(i).to_number<double>();
    CHECK(ann.at("allowed").at(i).as_int64() == 0);
    CHECK(ann.at("refused").at(i).as_int64() == 20);
  }
  CHECK(refused == 1200);
  CHECK(spent == 600);
  CHECK(value.at("agents").at(1).at("agent") == "b\"ob");
  CHECK(boost::json::parse(ask("since=2d").body).at("by_default").as_int64() == 3000);
  for (const char* bad : {"since=32d", "since=noon", "until=1h", "since="}) {
    CHECK(ask(bad).status == 400);
  }
  CHECK(read_activity(folder.file("none"), "", at_second(0)).status == 200);
}

TEST_CASE("a record is followed across rotations") {
  const TempFolder folder;
  const std::string path = folder.file("audit.jsonl");
  auto journal = Journal::open(JournalOptions{.path = path, .rotate = 2000});
  REQUIRE(journal.ok());
  const auto write = [&](int lines) {
    for (int i = 0; i < lines; ++i) REQUIRE((*journal)->append("decision", "", at_second(i)));
  };
  write(5);
  audit::Follower follower(path);
  uint64_t seq = 5;
  const auto look = [&](size_t most) {
    size_t seen = 0;
    follower.look([&](std::string_view text) {
      const auto line = audit::read_line(text);
      REQUIRE(line);
      CHECK(line->seq == ++seq);
      return ++seen < most;
    });
    return seen;
  };
  CHECK(look(100) == 0);
  write(50);
  CHECK(audit::rotated_files(path).size() > 3);
  CHECK(look(20) == 20);
  CHECK(look(100) == 30);
  CHECK(look(100) == 0);
  write(30);
  follower.skip_to_end();
  CHECK(look(100) == 0);
  write(1);
  seq = 85;
  CHECK(look(100) == 1);
}

}  // namespace
}  // namespace reeve::console
