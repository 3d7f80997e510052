#include "proxy/store/approval_store.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace reeve::store {
namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/reeve-approvals-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

policy::Approval sample(const std::string& id) {
  policy::Approval a;
  a.id = id;
  a.nonce = "n\"1";
  a.bound = {"jordan",           "crm", "tools/call", "refund \xE2\x98\x83", "a=1",
             "application/json", "d1",  "t1"};
  a.asks = {{"r1", "leads"}, {"r2", "legal"}};
  a.owner = "dana@acme.example";
  a.policy = "p1";
  a.context = ",\"arguments\":\"{}\"";
  a.within = std::chrono::seconds{61};
  a.asked = policy::Time{std::chrono::microseconds{1'800'000'000'000'001}};
  a.expires = a.asked + a.within;
  a.decided = a.asked + std::chrono::seconds{2};
  a.state = policy::ApprovalState::kApproved;
  a.votes = {{"lee", true, "fine", a.decided}};
  a.told = true;
  return a;
}

}  // namespace

TEST_CASE("a record of an approval comes back as it was") {
  const policy::Approval was = sample("a1");
  const auto is = from_row(to_row(was));
  REQUIRE(is);
  CHECK(is->bound == was.bound);
  CHECK(is->asks == was.asks);
  CHECK(to_row(*is) == to_row(was));
  CHECK(is->votes.at(0).why == "fine");
  CHECK(is->expires == was.expires);
  CHECK_FALSE(from_row("{}"));
  CHECK_FALSE(from_row("nothing"));
}

TEST_CASE("approvals survive their store's end") {
  const Folder folder;
  const std::string path = folder.path + "/approvals.db";
  policy::Approval first = sample("a1"), second = sample("a2");
  {
    auto store = SqliteApprovalStore::open(path);
    REQUIRE(store);
    const policy::Approval* both[] = {&first, &second};
    REQUIRE((*store)->save(both, {}));
    first.state = policy::ApprovalState::kReleased;
    const policy::Approval* one[] = {&first};
    const std::string gone[] = {"a2"};
    REQUIRE((*store)->save(one, gone));
  }
  auto store = SqliteApprovalStore::open(path);
  REQUIRE(store);
  const auto records = (*store)->load();
  REQUIRE(records);
  REQUIRE(records->size() == 1);
  CHECK(records->at(0).id == "a1");
  CHECK(records->at(0).state == policy::ApprovalState::kReleased);
  CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::group_read) ==
        std::filesystem::perms::none);
}

TEST_CASE("a file that is no store of approvals is refused and left alone") {
  const Folder folder;
  const std::string path = folder.path + "/approvals.db";
  std::ofstream(path)
      << "this is no database, and longer than a header of SQLite's files is, which "
         "takes a hundred bytes";
  const auto store = SqliteApprovalStore::open(path);
  REQUIRE_FALSE(store);
  CHECK(store.error().message.find(path) != std::string::npos);
  std::ifstream left(path);
  std::string word;
  left >> word;
  CHECK(word == "this");
}

}  // namespace reeve::store
