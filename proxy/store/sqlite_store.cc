// One table, one row per account: the mark of its latest window.
//
// Tested by tests/proxy/store_test.cc (with faults injected below SQLite, and kill -9).
#include "proxy/store/sqlite_store.h"

#include <filesystem>
#include <optional>
#include <string_view>

#include "proxy/store/account_names.h"

namespace reeve::store {

namespace {

constexpr DatabaseKind kLedger = {
    .subject = "the ledger",
    .was = "was",
    .damaged =
        "is damaged or not a ledger; restore it from a backup, or move it away, which "
        "forgets what was spent",
    .application_id = 0x72656576,  // "reev"
    .version = 2,
    .schema = R"(
CREATE TABLE mark (
  budget TEXT NOT NULL, scope TEXT NOT NULL, unit TEXT NOT NULL, currency TEXT NOT NULL,
  period TEXT NOT NULL,
  window_start INTEGER NOT NULL,  -- microseconds since 1970 in UTC
  window_end INTEGER NOT NULL,
  mark INTEGER NOT NULL,          -- millionths of the unit
  approved INTEGER NOT NULL DEFAULT 0,  -- of it, beyond the limit
  PRIMARY KEY (budget, scope, unit, currency, period)
) STRICT, WITHOUT ROWID;
)",
    .upgrade = "ALTER TABLE mark ADD COLUMN approved INTEGER NOT NULL DEFAULT 0;"};

constexpr char kUpsert[] =
    "INSERT INTO mark (budget, scope, unit, currency, period, window_start, window_end, mark, "
    "approved) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
    "ON CONFLICT DO UPDATE SET window_start = ?6, window_end = ?7, mark = ?8, approved = ?9";

std::optional<policy::Mark> read_mark(Statement& row) {
  policy::Mark mark;
  const auto unit = unit_of(row.text(2));
  const auto period = period_of(row.text(4));
  if (!unit || !period) return std::nullopt;
  mark.key = {row.text(0), row.text(1), *unit, row.text(3), *period};
  mark.window.start = policy::Time{std::chrono::microseconds{row.integer(5)}};
  mark.window.end = policy::Time{std::chrono::microseconds{row.integer(6)}};
  mark.mark = row.integer(7);
  mark.approved = row.integer(8);
  if (mark.mark < 0 || mark.approved < 0 || mark.approved > mark.mark) return std::nullopt;
  if (mark.window.end <= mark.window.start) return std::nullopt;
  return mark;
}

int bind_text(sqlite3_stmt* statement, int index, std::string_view text) {
  return sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_STATIC,
                             SQLITE_UTF8);
}

Result<std::vector<policy::Mark>> marks_of(const Database& database) {
  std::vector<policy::Mark> marks;
  // One that is only read may be of before there was the last column.
  const char* const columns = database.version() < 2
                                  ? "SELECT budget, scope, unit, currency, period, window_start, "
                                    "window_end, mark, 0 FROM mark"
                                  : "SELECT budget, scope, unit, currency, period, window_start, "
                                    "window_end, mark, approved FROM mark";
  Statement row(database.get(), columns);
  int code = row.step();
  for (; code == SQLITE_ROW; code = row.step()) {
    auto mark = read_mark(row);
    if (!mark) return database.failure(SQLITE_CORRUPT);
    marks.push_back(std::move(*mark));
  }
  if (code != SQLITE_DONE) return database.failure(code);
  return marks;
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path, const char* vfs) {
  auto database = Database::open(path, kLedger, vfs);
  if (!database) return database.error();
  std::unique_ptr<SqliteStore> store(new SqliteStore(std::move(*database)));
  const int code = sqlite3_prepare_v3(store->database_.get(), kUpsert, -1,
                                      SQLITE_PREPARE_PERSISTENT, &store->upsert_, nullptr);
  if (code != SQLITE_OK) return store->database_.failure(code);
  return store;
}

Result<std::vector<policy::Mark>> SqliteStore::read(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::vector<policy::Mark>{};
  const auto database = Database::open_to_read(path, kLedger);
  if (!database) return database.error();
  return marks_of(*database);
}

SqliteStore::~SqliteStore() { sqlite3_finalize(upsert_); }

Result<std::vector<policy::Mark>> SqliteStore::load() { return marks_of(database_); }

Result<Done> SqliteStore::persist(std::span<const policy::MarkWrite> writes) {
  int code = write_all(writes);
  if ((code & 0xff) == SQLITE_FULL &&
      sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr,
                                nullptr) == SQLITE_OK) {
    // The log itself may have been what filled the disk.
    code = write_all(writes);
  }
  if (code != SQLITE_OK) return database_.failure(code);
  return Done{};
}

// One transaction, all or nothing.
int SqliteStore::write_all(std::span<const policy::MarkWrite> writes) {
  int code = execute(database_.get(), "BEGIN IMMEDIATE");
  for (size_t i = 0; i < writes.size() && code == SQLITE_OK; ++i) code = upsert(writes[i]);
  if (code == SQLITE_OK) code = execute(database_.get(), "COMMIT");
  if (code != SQLITE_OK && sqlite3_get_autocommit(database_.get()) == 0)
    execute(database_.get(), "ROLLBACK");
  return code;
}

int SqliteStore::upsert(const policy::MarkWrite& write) {
  const policy::AccountKey& key = write.account->key();
  int code = SQLITE_OK;
  const auto also = [&code](int next) {
    if (code == SQLITE_OK) code = next;
  };
  also(bind_text(upsert_, 1, key.budget));
  also(bind_text(upsert_, 2, key.scope));
  also(bind_text(upsert_, 3, name_of(key.unit)));
  also(bind_text(upsert_, 4, key.currency));
  also(bind_text(upsert_, 5, name_of(key.period)));
  also(sqlite3_bind_int64(upsert_, 6, write.window.start.time_since_epoch().count()));
  also(sqlite3_bind_int64(upsert_, 7, write.window.end.time_since_epoch().count()));
  also(sqlite3_bind_int64(upsert_, 8, write.mark));
  also(sqlite3_bind_int64(upsert_, 9, write.approved));
  if (code == SQLITE_OK && sqlite3_step(upsert_) != SQLITE_DONE) {
    code = sqlite3_extended_errcode(database_.get());
  }
  sqlite3_reset(upsert_);
  return code;
}

}  // namespace reeve::store
