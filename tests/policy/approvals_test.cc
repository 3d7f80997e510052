#include "policy/approvals.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

namespace reeve::policy {
namespace {

using std::chrono::seconds;

Time at(int64_t second) { return Time{seconds{1'800'000'000 + second}}; }

std::vector<ApproverGroup> groups_of(uint32_t need, bool not_owner) {
  ApproverGroup leads;
  leads.name = "leads";
  leads.members = {"lee", "sam", "dana"};
  leads.need = need;
  leads.not_owner = not_owner;
  ApproverGroup legal;
  legal.name = "legal";
  legal.members = {"lou", "lee"};
  return {leads, legal};
}

ApprovalBinding binding(const std::string& digest = "d1") {
  return {"jordan", "crm", "tools/call", "tickets.refund", "", "application/json", digest, "t1"};
}

Approvals::Question question(const std::string& digest = "d1",
                             std::vector<ApprovalAsk> asks = {{"r1", "leads"}}) {
  return {binding(digest), std::move(asks), "dana", "p1", ",\"x\":1", seconds{60}};
}

using Found = Approvals::Answer::Kind;
using Voted = Approvals::Voted;
using Released = Approvals::Released;

}  // namespace

TEST_CASE("a yes is for one call, once") {
  Approvals approvals;
  const auto groups = groups_of(1, false);
  CHECK(approvals.ask(question(), "a1", "n1", at(0)).kind == Found::kCreated);
  CHECK(approvals.release("a1", binding(), {{"r1", "leads"}}, groups, at(1)) ==
        Released::kNotApproved);
  CHECK(approvals.vote("a1", "lee", true, "", groups, at(2)) == Voted::kDecided);
  CHECK(approvals.find("a1")->expires == at(62));
  int released = 0;
  for (int i = 0; i < 50; ++i) {
    released +=
        approvals.release("a1", binding(), {{"r1", "leads"}}, groups, at(3)) == Released::kReleased
            ? 1
            : 0;
  }
  CHECK(released == 1);
  CHECK(approvals.ask(question(), "a2", "n2", at(4)).kind == Found::kCreated);
}

TEST_CASE("a stop denies what waits and voids a yes that was not used") {
  Approvals approvals;
  const auto groups = groups_of(1, false);
  approvals.ask(question("d1"), "a1", "n1", at(0));
  approvals.ask(question("d2"), "a2", "n2", at(0));
  approvals.vote("a2", "lee", true, "", groups, at(1));
  CHECK(approvals.stop("a1", "dana", "stopped: odd", at(2)));
  CHECK(approvals.stop("a2", "dana", "stopped: odd", at(2)));
  CHECK_FALSE(approvals.stop("a1", "dana", "again", at(3)));
  CHECK_FALSE(approvals.stop("nobody", "dana", "", at(3)));
  CHECK(approvals.find("a1")->state == ApprovalState::kDenied);
  CHECK(approvals.find("a1")->votes.at(0).why == "stopped: odd");
  CHECK(approvals.find("a2")->state == ApprovalState::kVoided);
  CHECK(approvals.pending() == 0);
  CHECK(approvals.release("a2", binding("d2"), {{"r1", "leads"}}, groups, at(3)) ==
        Released::kNotApproved);
  // After that the same calls ask anew.
  CHECK(approvals.ask(question("d1"), "a3", "n3", at(4)).kind == Found::kCreated);
  CHECK(approvals.ask(question("d2"), "a4", "n4", at(4)).kind == Found::kCreated);
}

TEST_CASE("whatever is bound is compared") {
  const auto groups = groups_of(1, false);
  const auto changed = [](auto change) {
    ApprovalBinding bound = binding();
    change(bound);
    return bound;
  };
  const std::vector<ApprovalBinding> others = {
      changed([](auto& b) { b.agent = "robin"; }),
      changed([](auto& b) { b.upstream = "crm2"; }),
      changed([](auto& b) { b.action = "POST"; }),
      changed([](auto& b) { b.target = "tickets.refunds"; }),
      changed([](auto& b) { b.query = "a=1"; }),
      changed([](auto& b) { b.content_type = "text/plain"; }),
      changed([](auto& b) { b.digest = "d2"; }),
      changed([](auto& b) { b.definition = "t2"; })};
  for (const ApprovalBinding& other : others) {
    Approvals approvals;
    approvals.ask(question(), "a1", "n1", at(0));
    approvals.vote("a1", "lee", true, "", groups, at(1));
    CHECK(approvals.release("a1", other, {{"r1", "leads"}}, groups, at(2)) == Released::kOtherCall);
    Approvals::Question asked = question();
    asked.bound = other;
    CHECK(approvals.ask(asked, "a2", "n2", at(2)).kind == Found::kCreated);
    CHECK(approvals.find("a2")->state == ApprovalState::kPending);
  }
  // Parts that only together read alike.
  Approvals approvals;
  Approvals::Question left = question(), right = question();
  left.bound.action = "ab", left.bound.target = "c";
  right.bound.action = "a", right.bound.target = "bc";
  approvals.ask(left, "a1", "n1", at(0));
  CHECK(approvals.ask(right, "a2", "n2", at(0)).kind == Found::kCreated);
}

TEST_CASE("no answer in time is a no, and a yes does not last") {
  Approvals approvals;
  const auto groups = groups_of(1, false);
  approvals.ask(question(), "a1", "n1", at(0));
  std::vector<std::string> ended;
  approvals.expire(at(59), ended);
  CHECK(ended.empty());
  CHECK(approvals.next_expiry() == at(60));
  CHECK(approvals.vote("a1", "lee", true, "", groups, at(60)) == Voted::kEnded);
  // Time never goes back here, whatever the clock does.
  approvals.expire(at(60), ended);
  CHECK(ended == std::vector<std::string>{"a1"});
  CHECK(approvals.find("a1")->state == ApprovalState::kExpired);
  CHECK(approvals.pending() == 0);

  approvals.ask(question("d2"), "a2", "n2", at(100));
  approvals.vote("a2", "lee", true, "", groups, at(150));
  CHECK(approvals.release("a2", binding("d2"), {{"r1", "leads"}}, groups, at(210)) ==
        Released::kNotApproved);
  CHECK(approvals.release("a2", binding("d2"), {{"r1", "leads"}}, groups, at(0)) ==
        Released::kNotApproved);
}

TEST_CASE("two people are two people, and the owner is nobody's approver") {
  Approvals approvals;
  const auto groups = groups_of(2, true);
  approvals.ask(question(), "a1", "n1", at(0));
  CHECK(approvals.vote("a1", "eve", true, "", groups, at(1)) == Voted::kNotAsked);
  CHECK(approvals.vote("a1", "dana", true, "", groups, at(1)) == Voted::kNotAsked);
  CHECK(approvals.vote("a1", "lee", true, "", groups, at(1)) == Voted::kCounted);
  CHECK(approvals.vote("a1", "lee", true, "", groups, at(1)) == Voted::kAlready);
  CHECK(approvals.find("a1")->state == ApprovalState::kPending);
  CHECK(approvals.vote("a1", "sam", true, "", groups, at(1)) == Voted::kDecided);
  CHECK(approvals.find("a1")->state == ApprovalState::kApproved);
  CHECK(approvals.vote("a1", "sam", false, "", groups, at(1)) == Voted::kEnded);
}

TEST_CASE("each rule's group must say yes, and one no is enough") {
  Approvals approvals;
  const auto groups = groups_of(1, false);
  const std::vector<ApprovalAsk> both = {{"r2", "legal"}, {"r1", "leads"}};
  approvals.ask(question("d1", both), "a1", "n1", at(0));
  CHECK(approvals.vote("a1", "sam", true, "", groups, at(1)) == Voted::kCounted);
  CHECK(approvals.vote("a1", "lou", false, "no", groups, at(1)) == Voted::kDecided);
  CHECK(approvals.find("a1")->state == ApprovalState::kDenied);
  // Lee is of both groups.
  approvals.ask(question("d2", both), "a2", "n2", at(1));
  CHECK(approvals.vote("a2", "lee", true, "", groups, at(1)) == Voted::kDecided);
}

TEST_CASE("a change of what is asked voids the yes") {
  const auto groups = groups_of(1, false);
  const auto approved = [&] {
    Approvals approvals;
    approvals.ask(question(), "a1", "n1", at(0));
    approvals.vote("a1", "lee", true, "", groups, at(1));
    return approvals;
  };
  SECTION("other rules") {
    Approvals approvals = approved();
    CHECK(approvals.release("a1", binding(), {{"r9", "leads"}}, groups, at(2)) ==
          Released::kVoided);
    CHECK(approvals.release("a1", binding(), {{"r1", "leads"}}, groups, at(2)) ==
          Released::kNotApproved);
  }
  SECTION("none any more") {
    Approvals approvals = approved();
    CHECK(approvals.release("a1", binding(), {}, groups, at(2)) == Released::kVoided);
  }
  SECTION("the person may no longer") {
    Approvals approvals = approved();
    auto fewer = groups;
    fewer[0].members = {"sam", "dana"};
    CHECK(approvals.release("a1", binding(), {{"r1", "leads"}}, fewer, at(2)) == Released::kVoided);
  }
  SECTION("more must say it") {
    Approvals approvals = approved();
    CHECK(approvals.release("a1", binding(), {{"r1", "leads"}}, groups_of(2, false), at(2)) ==
          Released::kVoided);
  }
  SECTION("asked anew by another rule") {
    Approvals approvals = approved();
    const auto answer = approvals.ask(question("d1", {{"r2", "legal"}}), "a2", "n2", at(2));
    CHECK(answer.kind == Found::kCreated);
    CHECK(answer.voided == "a1");
    CHECK(approvals.find("a1")->state == ApprovalState::kVoided);
  }
}

TEST_CASE("the same call attaches, and hears a no once") {
  Approvals approvals;
  const auto groups = groups_of(1, false);
  approvals.ask(question(), "a1", "n1", at(0));
  const auto again = approvals.ask(question(), "a2", "n2", at(1));
  CHECK(again.kind == Found::kAttached);
  CHECK(again.id == "a1");
  CHECK(approvals.pending() == 1);
  approvals.vote("a1", "lee", false, "no", groups, at(2));
  CHECK(approvals.ask(question(), "a3", "n3", at(3)).kind == Found::kTold);
  CHECK(approvals.ask(question(), "a4", "n4", at(4)).kind == Found::kCreated);
}

TEST_CASE("what waits is bounded") {
  Approvals approvals({.pending = 3, .pending_of_agent = 2, .kept = 1});
  const auto groups = groups_of(1, false);
  CHECK(approvals.ask(question("d1"), "a1", "n", at(0)).kind == Found::kCreated);
  CHECK(approvals.ask(question("d2"), "a2", "n", at(0)).kind == Found::kCreated);
  CHECK(approvals.ask(question("d3"), "a3", "n", at(0)).kind == Found::kTooMany);
  approvals.vote("a1", "lee", false, "", groups, at(1));
  approvals.vote("a2", "lee", false, "", groups, at(1));
  CHECK(approvals.surplus() == std::vector<std::string>{"a1"});
  CHECK(approvals.ask(question("d3"), "a3", "n", at(1)).kind == Found::kCreated);
}

// Whatever people, callers and the clock do: no yes is used twice, none without its people, none
// after its time.
TEST_CASE("random runs keep the promises") {
  const uint64_t runs = 2000;
  for (uint64_t seed = 0; seed < runs; ++seed) {
    std::mt19937_64 random(seed);
    const auto pick = [&](uint64_t n) { return random() % n; };
    Approvals approvals({.pending = 6, .pending_of_agent = 6, .kept = 20});
    std::set<std::string> released;
    int64_t now = 0, latest = 0;
    int made = 0;
    const std::string people[] = {"lee", "sam", "dana", "lou", "eve"};
    for (int step = 0; step < 120; ++step) {
      now += static_cast<int64_t>(pick(20)) - 4;  // clocks step back
      latest = std::max(latest, now);
      const auto groups = groups_of(1 + static_cast<uint32_t>(pick(2)), pick(2) == 0);
      const std::string digest = "d" + std::to_string(pick(4));
      std::vector<ApprovalAsk> asks = {{"r1", "leads"}};
      if (pick(3) == 0) asks.push_back({"r2", "legal"});
      const std::string id = made == 0 ? "a0" : "a" + std::to_string(pick(made));
      switch (pick(4)) {
        case 0: {
          const std::string fresh = "a" + std::to_string(made);
          const auto answer = approvals.ask(question(digest, asks), fresh, "n", at(now));
          if (answer.kind == Found::kCreated) ++made;
          break;
        }
        case 1:
          approvals.vote(id, people[pick(5)], pick(4) != 0, "", groups, at(now));
          break;
        case 2: {
          const Approval* before = approvals.find(id);
          const bool open = before && before->state == ApprovalState::kApproved;
          const Time expires = before ? before->expires : Time{};
          if (approvals.release(id, binding(digest), asks, groups, at(now)) !=
              Released::kReleased) {
            break;
          }
          REQUIRE(open);
          REQUIRE(at(latest) < expires);
          REQUIRE(released.insert(id).second);
          const Approval& used = *approvals.find(id);
          REQUIRE(used.bound.digest == digest);
          for (const ApprovalAsk& ask : used.asks) {
            const ApproverGroup& group = ask.group == "leads" ? groups[0] : groups[1];
            std::set<std::string> yes;
            for (const ApprovalVote& vote : used.votes) {
              const bool member =
                  std::count(group.members.begin(), group.members.end(), vote.person) > 0;
              if (vote.yes && member && !(group.not_owner && vote.person == "dana")) {
                yes.insert(vote.person);
              }
            }
            REQUIRE(yes.size() >= group.need);
          }
          break;
        }
        default: {
          std::vector<std::string> ended;
          approvals.expire(at(now), ended);
          break;
        }
      }
      size_t pending = 0;
      for (const auto& [each, record] : approvals.all()) {
        pending += record.state == ApprovalState::kPending ? 1 : 0;
      }
      REQUIRE(pending == approvals.pending());
      REQUIRE(pending <= 6);
    }
  }
}

}  // namespace reeve::policy
