// What agents have been shown of pinned tools, and for how long that counts.
#include "proxy/pin_watch.h"

#include <catch2/catch.hpp>
#include <string>

namespace reeve {
namespace {

using Standing = PinWatch::Standing;
using Worth = PinWatch::Worth;
using std::chrono::minutes;
using std::chrono::seconds;

std::shared_ptr<const Pin> pin_of(uint64_t serial) {
  auto pin = std::make_shared<Pin>();
  pin->upstream = "crm";
  pin->serial = serial;
  json::Parser parser;
  mcp::PinReader reader;
  std::string cursor;
  REQUIRE(reader.add_page(*parser.parse(R"({"tools":[{"name":"a"},{"name":"b"}]})"), cursor));
  pin->lock.tools = reader.take();
  return pin;
}

class Watched {
 public:
  // The kinds of what was news.
  std::string saw(const char* tools, Worth worth, uint64_t epoch = 0, Spectator by = kAnn) {
    json::Parser parser;
    std::string cursor;
    mcp::Sighting sighting(pin->lock);
    REQUIRE(sighting.see_page(*parser.parse(std::string("{\"tools\":") + tools + "}"), cursor));
    std::string news;
    for (const auto& change : watch.saw(by, *pin, sighting, worth, epoch, now)) {
      news += (news.empty() ? "" : " ") + std::string(change.kind) + ":" + change.tool;
      if (!change.parts.empty()) news += "(" + change.parts + ")";
    }
    return news;
  }
  // Of a and b: `?` unseen, `=` same, `!` other, `-` gone.
  std::string standing(Spectator by = kAnn) const {
    std::string out;
    for (const size_t i : {0, 1}) {
      out += "?=!-"[static_cast<size_t>(watch.standing(by, *pin, i, now))];
    }
    return out;
  }

  static constexpr Spectator kAnn{"crm", "ann", "s1"};
  PinWatch watch;
  std::shared_ptr<const Pin> pin = pin_of(1);
  Steady now{std::chrono::hours(1)};
};

constexpr const char* kBoth = R"([{"name":"a"},{"name":"b"}])";
constexpr const char* kOther = R"([{"name":"a"},{"name":"b","title":"x"}])";

TEST_CASE("what was shown counts for whom it was shown to") {
  Watched w;
  CHECK(w.standing() == "??");
  CHECK(w.saw(kBoth, Worth::kWhole) == "");
  CHECK(w.standing() == "==");
  CHECK(w.standing({"crm", "ann", "s2"}) == "??");
  CHECK(w.standing({"crm", "ann", ""}) == "??");
  CHECK(w.standing({"crm", "bob", "s1"}) == "??");
  CHECK(w.saw(kOther, Worth::kWhole, 0, {"crm", "bob", "s1"}) == "changed:b(title)");
  CHECK(w.standing({"crm", "bob", "s1"}) == "=!");
  CHECK(w.standing() == "==");
}

TEST_CASE("pages add up; a whole list tells what is gone; hints prove nothing good") {
  Watched w;
  CHECK(w.saw(R"([{"name":"a"}])", Worth::kPage) == "");
  CHECK(w.standing() == "=?");
  CHECK(w.saw(R"([{"name":"b"}])", Worth::kPage) == "");
  CHECK(w.standing() == "==");
  CHECK(w.saw(R"([{"name":"b"}])", Worth::kWhole) == "removed:a");
  CHECK(w.standing() == "-=");
  CHECK(w.saw(kBoth, Worth::kHint) == "");
  CHECK(w.standing() == "-=");
  CHECK(w.saw(kOther, Worth::kHint) == "changed:b(title)");
  CHECK(w.standing() == "-!");
  CHECK(w.saw(kBoth, Worth::kWhole) == "restored:a restored:b");
  CHECK(w.standing() == "==");
}

TEST_CASE("until the server says otherwise, the lock is another, or it is long ago") {
  Watched w;
  w.saw(kBoth, Worth::kWhole);
  w.watch.tools_changed("kb");
  CHECK(w.standing() == "==");
  w.watch.tools_changed("crm");
  CHECK(w.standing() == "??");
  CHECK(w.watch.epoch("crm") == 1);
  w.saw(kBoth, Worth::kWhole, 0);
  CHECK(w.standing() == "??");  // it was asked for before the change
  w.saw(kBoth, Worth::kWhole, 1);
  CHECK(w.standing() == "==");
  w.now += PinWatch::kFreshFor - seconds(1);
  CHECK(w.standing() == "==");
  // A page renews nothing but itself.
  w.now += seconds(1);
  CHECK(w.standing() == "??");
  w.saw(R"([{"name":"a"}])", Worth::kPage, 1);
  CHECK(w.standing() == "=?");
  w.saw(kBoth, Worth::kWhole, 1);
  w.pin = pin_of(2);
  CHECK(w.standing() == "??");
}

TEST_CASE("a change is news once, and again when it changes back or on") {
  Watched w;
  CHECK(w.saw(kOther, Worth::kWhole) == "changed:b(title)");
  CHECK(w.saw(kOther, Worth::kWhole) == "");
  CHECK(w.saw(kOther, Worth::kPage, 0, {"crm", "bob", ""}) == "");
  CHECK(w.saw(R"([{"name":"a"},{"name":"b","title":"y"}])", Worth::kWhole) == "changed:b(title)");
  CHECK(w.saw(kBoth, Worth::kWhole) == "restored:b");
  CHECK(w.saw(kOther, Worth::kWhole) == "changed:b(title)");
  CHECK(w.saw(R"([{"name":"a"}])", Worth::kWhole) == "removed:b");
  CHECK(w.saw(R"([{"name":"a"}])", Worth::kWhole) == "");
  CHECK(w.saw(R"([{"name":"a"},{"name":"b"},{"name":"c"}])", Worth::kWhole) ==
        "restored:b added:c");
  CHECK(w.saw(R"([{"name":"a"},{"name":"b"},{"name":"c"}])", Worth::kWhole) == "");
  const auto counts = w.watch.counts();
  REQUIRE(counts.size() == 1);
  CHECK(counts[0].changes.at("changed") == 3);
  CHECK(counts[0].changes.at("restored") == 2);
  CHECK(counts[0].drifted == 1);
  w.pin = pin_of(2);  // what is other than one lock may be as in the next
  CHECK(w.saw(kBoth, Worth::kWhole) == "");
  CHECK(w.watch.counts()[0].drifted == 0);
  CHECK(w.watch.saw_instructions(*w.pin, "d1"));
  CHECK_FALSE(w.watch.saw_instructions(*w.pin, "d1"));
  CHECK(w.watch.saw_instructions(*w.pin, "d2")->kind == std::string("changed"));
  CHECK(w.watch.saw_instructions(*w.pin, "")->kind == std::string("restored"));
  CHECK_FALSE(w.watch.saw_instructions(*w.pin, ""));
}

TEST_CASE("nobody makes it grow, or write, without end") {
  Watched w;
  w.saw(kBoth, Worth::kWhole);
  std::vector<std::string> sessions;
  for (size_t i = 0; i < PinWatch::kMostPerAgent; ++i) sessions.push_back("x" + std::to_string(i));
  for (const std::string& session : sessions) {
    w.saw(kBoth, Worth::kWhole, 0, {"crm", "bob", session});
  }
  CHECK(w.standing() == "==");  // another agent's sessions push out none of this one's
  CHECK(w.standing({"crm", "bob", sessions.front()}) == "==");
  w.saw(kBoth, Worth::kWhole, 0, {"crm", "bob", "one more"});
  CHECK(w.standing({"crm", "bob", sessions.front()}) == "??");
  CHECK(w.standing({"crm", "bob", sessions.back()}) == "==");

  for (uint64_t i = 0; i < PinWatch::kLinesPerMinute; ++i) {
    CHECK(w.watch.admit_line("crm", w.now) == uint64_t{0});
  }
  CHECK_FALSE(w.watch.admit_line("crm", w.now));
  CHECK_FALSE(w.watch.admit_line("crm", w.now));
  CHECK(w.watch.admit_line("kb", w.now) == uint64_t{0});
  w.now += minutes(1);
  CHECK(w.watch.admit_line("crm", w.now) == uint64_t{2});
  CHECK(w.watch.admit_line("crm", w.now) == uint64_t{0});

  CHECK(w.watch.saw_hidden("crm", "x"));
  CHECK_FALSE(w.watch.saw_hidden("crm", "x"));
  CHECK(w.watch.saw_hidden("kb", "x"));
  for (size_t i = 0; i < PinWatch::kMostRemembered; ++i) {
    w.watch.saw_hidden("crm", std::to_string(i));
  }
  CHECK_FALSE(w.watch.saw_hidden("crm", "another"));
}

}  // namespace
}  // namespace reeve
