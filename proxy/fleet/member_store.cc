// One row of JSON. Tested by tests/proxy/fleet_test.cc.
#include "proxy/fleet/member_store.h"

#include <fmt/core.h>
#include <sqlite3.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace reeve::fleet {
namespace {

namespace bj = boost::json;

constexpr int kBusyTimeoutMs = 1000;
constexpr char kSetUp[] =
    "PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS fleet_member "
    "(one INTEGER PRIMARY KEY CHECK (one = 1), state TEXT NOT NULL) STRICT";

}  // namespace

Result<std::unique_ptr<MemberStore>> MemberStore::open(const std::string& path) {
  sqlite3* db = nullptr;
  int code =
      sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<MemberStore> store(new MemberStore(path, db));
  if (db == nullptr) return Error{"out of memory for the ledger"};
  if (code == SQLITE_OK) code = sqlite3_busy_timeout(db, kBusyTimeoutMs);
  if (code == SQLITE_OK) code = sqlite3_exec(db, kSetUp, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return store->failure(code);
  return store;
}

MemberStore::~MemberStore() { sqlite3_close(db_); }

Result<policy::MemberState> MemberStore::load() {
  std::string text;
  const auto take = [](void* to, int, char** values, char**) {
    *static_cast<std::string*>(to) = values[0];
    return 0;
  };
  const int code = sqlite3_exec(db_, "SELECT state FROM fleet_member", take, &text, nullptr);
  if (code != SQLITE_OK) return failure(code);
  policy::MemberState state;
  if (text.empty()) return state;
  // What is missing or of another type throws, whichever member it is.
  try {
    const bj::value parsed = bj::parse(text);
    const bj::object& row = parsed.as_object();
    state.member = row.at("member").as_string();
    for (const bj::value& token : row.at("tokens").as_array()) {
      state.tokens.emplace_back(token.as_string());
    }
    state.era = static_cast<uint64_t>(row.at("era").as_int64());
    state.history = row.at("history").as_string();
  } catch (const std::exception&) {
    return failure(SQLITE_CORRUPT);
  }
  return state;
}

Result<bool> MemberStore::save(const policy::MemberState& state) {
  const std::string text =
      bj::serialize(bj::object{{"member", state.member},
                               {"tokens", bj::array(state.tokens.begin(), state.tokens.end())},
                               {"era", static_cast<int64_t>(state.era)},
                               {"history", state.history}});
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(db_,
                                "INSERT INTO fleet_member VALUES (1, ?1) "
                                "ON CONFLICT DO UPDATE SET state = ?1",
                                -1, &statement, nullptr);
  if (code == SQLITE_OK) {
    sqlite3_bind_text64(statement, 1, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    code = sqlite3_step(statement);
    if (code == SQLITE_DONE) code = SQLITE_OK;
  }
  sqlite3_finalize(statement);
  if (code != SQLITE_OK) return failure(code);
  return true;
}

Error MemberStore::failure(int code) const {
  return {fmt::format("cannot use the ledger `{}` for the fleet: {}; look at the disk and the file",
                      path_, sqlite3_errstr(code))};
}

}  // namespace reeve::fleet
