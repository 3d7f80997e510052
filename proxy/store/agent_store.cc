// Tested by tests/proxy/agent_store_test.cc.
#include "proxy/store/agent_store.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace reeve::store {
namespace {

namespace bj = boost::json;

constexpr DatabaseKind kKind = {
    "the agents' state",
    "was",
    "is damaged or no database of reeve's; restore it from a backup, or move it away, which "
    "forgets "
    "who is stopped and retired",
    0x72656567,  // "reeg"
    1,
    "CREATE TABLE stop (record TEXT NOT NULL) STRICT;"
    "CREATE TABLE life (agent TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;",
    nullptr};

int run(Statement& statement) {
  const int code = statement.step();
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

int64_t micros(policy::Time time) { return time.time_since_epoch().count(); }
policy::Time time_at(const bj::object& row, std::string_view name) {
  return policy::Time{std::chrono::microseconds{row.at(name).as_int64()}};
}
std::string text_at(const bj::object& row, std::string_view name) {
  return std::string(row.at(name).as_string());
}

policy::Stop read_stop(const bj::object& row) {
  policy::Stop stop;
  stop.scope = policy::stop_scope(text_at(row, "scope")).value();
  stop.name = text_at(row, "name");
  stop.by = text_at(row, "by");
  stop.why = text_at(row, "why");
  stop.time = time_at(row, "time");
  stop.retired = row.at("retired").as_bool();
  for (const bj::value& each : row.at("resumed").as_array()) {
    stop.resumed.emplace_back(each.as_string());
  }
  return stop;
}

Life read_life(const bj::object& row) {
  return {time_at(row, "hired"), time_at(row, "last"), time_at(row, "reviewed"),
          text_at(row, "reviewed_by")};
}

// What is missing or of another type throws, whichever member it is.
template <class T>
std::optional<T> parsed(const std::string& text, T (*read)(const bj::object&)) {
  try {
    return read(bj::parse(text).as_object());
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace

Result<std::unique_ptr<AgentStore>> AgentStore::open(const std::string& path) {
  auto database = Database::open(path, kKind);
  if (!database) return database.error();
  return std::unique_ptr<AgentStore>(new AgentStore(std::move(*database)));
}

template <class Write>
Result<Done> AgentStore::in_transaction(Write write) {
  sqlite3* db = database_.get();
  int code = execute(db, "BEGIN IMMEDIATE");
  if (code == SQLITE_OK) code = write(db);
  if (code == SQLITE_OK) code = execute(db, "COMMIT");
  if (code == SQLITE_OK) return Done{};
  if (sqlite3_get_autocommit(db) == 0) execute(db, "ROLLBACK");
  return database_.failure(code);
}

Result<policy::Stops> AgentStore::load_stops() {
  policy::Stops stops;
  Statement row(database_.get(), "SELECT record FROM stop");
  int code = row.step();
  for (; code == SQLITE_ROW; code = row.step()) {
    auto stop = stop_from_row(row.text());
    if (!stop) return database_.failure(SQLITE_CORRUPT);
    stops.add(std::move(*stop));
  }
  if (code != SQLITE_DONE) return database_.failure(code);
  return stops;
}

Result<Done> AgentStore::save_stops(const policy::Stops& stops) {
  return in_transaction([&](sqlite3* db) {
    int code = execute(db, "DELETE FROM stop");
    for (const auto& [key, stop] : stops.all()) {
      if (code != SQLITE_OK) break;
      const std::string text = to_row(stop);
      Statement insert(db, "INSERT INTO stop VALUES (?1)");
      insert.bind(1, text);
      code = run(insert);
    }
    return code;
  });
}

Result<Lives> AgentStore::load_lives() {
  Lives lives;
  Statement row(database_.get(), "SELECT agent, record FROM life");
  int code = row.step();
  for (; code == SQLITE_ROW; code = row.step()) {
    auto life = life_from_row(row.text(1));
    if (!life) return database_.failure(SQLITE_CORRUPT);
    lives[row.text(0)] = std::move(*life);
  }
  if (code != SQLITE_DONE) return database_.failure(code);
  return lives;
}

Result<Done> AgentStore::save_lives(const Lives& lives) {
  return in_transaction([&](sqlite3* db) {
    int code = SQLITE_OK;
    for (const auto& [agent, life] : lives) {
      if (code != SQLITE_OK) break;
      const std::string text = to_row(life);
      Statement upsert(db,
                       "INSERT INTO life VALUES (?1, ?2) ON CONFLICT DO UPDATE SET record = ?2");
      upsert.bind(1, agent);
      upsert.bind(2, text);
      code = run(upsert);
    }
    return code;
  });
}

std::string to_row(const policy::Stop& stop) {
  return bj::serialize(
      bj::object{{"scope", policy::to_string(stop.scope)},
                 {"name", stop.name},
                 {"by", stop.by},
                 {"why", stop.why},
                 {"time", micros(stop.time)},
                 {"retired", stop.retired},
                 {"resumed", bj::array(stop.resumed.begin(), stop.resumed.end())}});
}

std::optional<policy::Stop> stop_from_row(const std::string& text) {
  return parsed(text, read_stop);
}

std::string to_row(const Life& life) {
  return bj::serialize(bj::object{{"hired", micros(life.hired)},
                                  {"last", micros(life.last)},
                                  {"reviewed", micros(life.reviewed)},
                                  {"reviewed_by", life.reviewed_by}});
}

std::optional<Life> life_from_row(const std::string& text) { return parsed(text, read_life); }

}  // namespace reeve::store
