// One table, one row per account: the mark of its latest window.
//
// Tested by tests/proxy/store_test.cc (with faults injected below SQLite, and kill -9).
#include "proxy/store/sqlite_store.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "proxy/store/account_names.h"

namespace reeve::store {

namespace {

constexpr int kApplicationId = 0x72656576;  // "reev"
constexpr int kSchemaVersion = 1;
constexpr int kBusyTimeoutMs = 1000;
constexpr int kLogPages = 256;  // of 4 KiB, after which the log is folded into the file

constexpr char kSchema[] = R"(
CREATE TABLE mark (
  budget TEXT NOT NULL, scope TEXT NOT NULL, unit TEXT NOT NULL, currency TEXT NOT NULL,
  period TEXT NOT NULL,
  window_start INTEGER NOT NULL,  -- microseconds since 1970 in UTC
  window_end INTEGER NOT NULL,
  mark INTEGER NOT NULL,          -- millionths of the unit
  PRIMARY KEY (budget, scope, unit, currency, period)
) STRICT, WITHOUT ROWID;
)";

constexpr char kUpsert[] =
    "INSERT INTO mark VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
    "ON CONFLICT DO UPDATE SET window_start = ?6, window_end = ?7, mark = ?8";

// A prepared statement that is finalised when it leaves scope.
class Statement {
 public:
  Statement(sqlite3* db, const char* sql) {
    code_ = sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  int step() { return code_ == SQLITE_OK ? sqlite3_step(statement_) : code_; }
  int64_t integer(int column) { return sqlite3_column_int64(statement_, column); }
  std::string text(int column) {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return bytes == nullptr
               ? ""
               : std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int code_;
};

// The first column of the one row that `sql` gives. The statement is closed when this returns: an
// open one would be a transaction, in which the journal mode cannot change.
int read_one(sqlite3* db, const char* sql, std::string& value) {
  Statement statement(db, sql);
  const int code = statement.step();
  if (code == SQLITE_ROW) value = statement.text(0);
  return code == SQLITE_DONE ? SQLITE_ERROR : code;
}

int execute(sqlite3* db, const char* sql) {
  return sqlite3_exec(db, sql, nullptr, nullptr, nullptr);
}

std::optional<policy::Mark> read_mark(Statement& row) {
  policy::Mark mark;
  const auto unit = unit_of(row.text(2));
  const auto period = period_of(row.text(4));
  if (!unit || !period) return std::nullopt;
  mark.key = {row.text(0), row.text(1), *unit, row.text(3), *period};
  mark.window.start = policy::Time{std::chrono::microseconds{row.integer(5)}};
  mark.window.end = policy::Time{std::chrono::microseconds{row.integer(6)}};
  mark.mark = row.integer(7);
  if (mark.mark < 0 || mark.window.end <= mark.window.start) return std::nullopt;
  return mark;
}

int bind_text(sqlite3_stmt* statement, int index, std::string_view text) {
  return sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_STATIC,
                             SQLITE_UTF8);
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path, const char* vfs) {
  // SQLite would create it readable by all; its log files take over the mode of this one.
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) {
    return Error{fmt::format(
        "cannot open the ledger `{}`: {}; its folder must exist and be writable by the user that "
        "runs reeve",
        path, std::strerror(errno))};
  }
  ::close(file);

  sqlite3* db = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs);
  std::unique_ptr<SqliteStore> store(new SqliteStore(path, db));
  if (db == nullptr) return Error{"out of memory for the ledger"};
  if (code != SQLITE_OK) return store->failure(code);
  if (const auto done = store->prepare(); !done) return done.error();
  return store;
}

SqliteStore::~SqliteStore() {
  sqlite3_finalize(upsert_);
  sqlite3_close(db_);
}

Result<Done> SqliteStore::prepare() {
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, kBusyTimeoutMs);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);

  // First of all, so that a file of another program stays as it is.
  if (const auto done = create_or_check_schema(); !done) return done.error();

  std::string value;
  if (const int code = read_one(db_, "PRAGMA quick_check(1)", value); code != SQLITE_ROW) {
    return failure(code);
  }
  if (value != "ok") return failure(SQLITE_CORRUPT);

  if (const int code = read_one(db_, "PRAGMA journal_mode = WAL", value); code != SQLITE_ROW) {
    return failure(code);
  }
  if (value != "wal") {
    return Error{fmt::format(
        "the ledger `{}` cannot have a write-ahead log; `state:` must be on a local disk", path_)};
  }
  if (const int code = execute(db_, "PRAGMA synchronous = FULL"); code != SQLITE_OK) {
    return failure(code);
  }
  sqlite3_wal_autocheckpoint(db_, kLogPages);
  const int code =
      sqlite3_prepare_v3(db_, kUpsert, -1, SQLITE_PREPARE_PERSISTENT, &upsert_, nullptr);
  if (code != SQLITE_OK) return failure(code);
  return Done{};
}

Result<Done> SqliteStore::create_or_check_schema() {
  int64_t values[3] = {};
  constexpr const char* kReads[] = {"PRAGMA application_id", "PRAGMA user_version",
                                    "SELECT count(*) FROM sqlite_schema"};
  for (size_t i = 0; i < std::size(kReads); ++i) {
    Statement read(db_, kReads[i]);
    if (const int code = read.step(); code != SQLITE_ROW) return failure(code);
    values[i] = read.integer(0);
  }
  const auto [application, version, tables] = values;

  if (application == 0 && version == 0 && tables == 0) {
    const std::string create = fmt::format(
        "BEGIN IMMEDIATE; {} PRAGMA application_id = {}; PRAGMA user_version = {}; "
        "COMMIT;",
        kSchema, kApplicationId, kSchemaVersion);
    if (const int code = execute(db_, create.c_str()); code != SQLITE_OK) {
      const Error error = failure(code);
      execute(db_, "ROLLBACK");
      return error;
    }
    return Done{};
  }
  if (application != kApplicationId) {
    return Error{fmt::format("`{}` is a database of another program; move it away", path_)};
  }
  if (version > kSchemaVersion) {
    return Error{
        fmt::format("the ledger `{}` was written by a newer reeve (format {}, this one knows {}); "
                    "run that one, "
                    "or set `state:` to another folder",
                    path_, version, kSchemaVersion)};
  }
  if (version < 1) return failure(SQLITE_CORRUPT);
  return Done{};
}

Result<std::vector<policy::Mark>> SqliteStore::load() {
  std::vector<policy::Mark> marks;
  Statement row(db_,
                "SELECT budget, scope, unit, currency, period, window_start, window_end, mark "
                "FROM mark");
  int code = row.step();
  for (; code == SQLITE_ROW; code = row.step()) {
    auto mark = read_mark(row);
    if (!mark) return failure(SQLITE_CORRUPT);
    marks.push_back(std::move(*mark));
  }
  if (code != SQLITE_DONE) return failure(code);
  return marks;
}

Result<Done> SqliteStore::persist(std::span<const policy::MarkWrite> writes) {
  int code = write_all(writes);
  if ((code & 0xff) == SQLITE_FULL &&
      sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr) ==
          SQLITE_OK) {
    // The log itself may have been what filled the disk.
    code = write_all(writes);
  }
  if (code != SQLITE_OK) return failure(code);
  return Done{};
}

// One transaction, all or nothing.
int SqliteStore::write_all(std::span<const policy::MarkWrite> writes) {
  int code = execute(db_, "BEGIN IMMEDIATE");
  for (size_t i = 0; i < writes.size() && code == SQLITE_OK; ++i) code = upsert(writes[i]);
  if (code == SQLITE_OK) code = execute(db_, "COMMIT");
  if (code != SQLITE_OK && sqlite3_get_autocommit(db_) == 0) execute(db_, "ROLLBACK");
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
  if (code == SQLITE_OK && sqlite3_step(upsert_) != SQLITE_DONE) {
    code = sqlite3_extended_errcode(db_);
  }
  sqlite3_reset(upsert_);
  return code;
}

Error SqliteStore::failure(int code) const {
  const char* remedy = "look at the disk and the file";
  switch (code & 0xff) {
    case SQLITE_FULL:
      remedy = "free space on its disk";
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      remedy = "close the other program that has it open (a shell, a backup)";
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {
          fmt::format("the ledger `{}` is damaged or not a ledger; restore it from a backup, or "
                      "move it away, which forgets what was spent",
                      path_)};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      remedy = "the file and its folder must be writable by the user that runs reeve";
      break;
    default:
      break;
  }
  return {fmt::format("cannot use the ledger `{}`: {}; {}", path_, sqlite3_errstr(code), remedy)};
}

}  // namespace reeve::store
