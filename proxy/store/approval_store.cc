// One table, a row for each record. Tested by tests/proxy/approval_store_test.cc.
#include "proxy/store/approval_store.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace reeve::store {
namespace {

constexpr int kApplicationId = 0x72656561;  // "reea"
constexpr int kSchemaVersion = 1;
constexpr int kBusyTimeoutMs = 1000;

int execute(sqlite3* db, const char* sql) {
  return sqlite3_exec(db, sql, nullptr, nullptr, nullptr);
}

// A prepared statement that is finalised when it leaves scope.
class Statement {
 public:
  Statement(sqlite3* db, const char* sql) {
    code_ = sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  void bind(int index, std::string_view text) {
    if (code_ != SQLITE_OK) return;
    code_ = sqlite3_bind_text64(statement_, index, text.data(), text.size(), SQLITE_STATIC,
                                SQLITE_UTF8);
  }
  int step() { return code_ == SQLITE_OK ? sqlite3_step(statement_) : code_; }
  int64_t integer() { return sqlite3_column_int64(statement_, 0); }
  std::string text() {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, 0));
    return bytes == nullptr
               ? ""
               : std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, 0)));
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int code_;
};

int run(Statement& statement) {
  const int code = statement.step();
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

}  // namespace

Result<std::unique_ptr<SqliteApprovalStore>> SqliteApprovalStore::open(const std::string& path) {
  // SQLite would create it readable by all; its log files take over the mode of this one.
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) {
    return Error{
        fmt::format("cannot open the approvals `{}`: {}; its folder must exist and be "
                    "writable by the user that runs reeve",
                    path, std::strerror(errno))};
  }
  ::close(file);
  sqlite3* db = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<SqliteApprovalStore> store(new SqliteApprovalStore(path, db));
  if (db == nullptr) return Error{"out of memory for the approvals"};
  if (code != SQLITE_OK) return store->failure(code);
  if (const auto done = store->prepare(); !done) return done.error();
  return store;
}

SqliteApprovalStore::~SqliteApprovalStore() { sqlite3_close(db_); }

Result<Done> SqliteApprovalStore::prepare() {
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, kBusyTimeoutMs);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  int64_t values[3] = {};
  constexpr const char* kReads[] = {"PRAGMA application_id", "PRAGMA user_version",
                                    "SELECT count(*) FROM sqlite_schema"};
  for (size_t i = 0; i < std::size(kReads); ++i) {
    Statement read(db_, kReads[i]);
    if (const int code = read.step(); code != SQLITE_ROW) return failure(code);
    values[i] = read.integer();
  }
  const auto [application, version, tables] = values;
  if (application == 0 && version == 0 && tables == 0) {
    const std::string create = fmt::format(
        "BEGIN IMMEDIATE; CREATE TABLE approval (id TEXT PRIMARY KEY, record TEXT NOT NULL) "
        "STRICT, WITHOUT ROWID; PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT;",
        kApplicationId, kSchemaVersion);
    if (const int code = execute(db_, create.c_str()); code != SQLITE_OK) {
      const Error error = failure(code);
      execute(db_, "ROLLBACK");
      return error;
    }
  } else if (application != kApplicationId) {
    return Error{fmt::format("`{}` is a database of another program; move it away", path_)};
  } else if (version > kSchemaVersion) {
    return Error{
        fmt::format("the approvals `{}` were written by a newer reeve (format {}, this "
                    "one knows {}); run that one, or set `state:` to another folder",
                    path_, version, kSchemaVersion)};
  }
  for (const auto& [sql, good] :
       {std::pair{"PRAGMA quick_check(1)", "ok"}, std::pair{"PRAGMA journal_mode = WAL", "wal"}}) {
    std::string value;
    int code = SQLITE_OK;
    {
      Statement read(db_, sql);
      code = read.step();
      if (code == SQLITE_ROW) value = read.text();
    }
    if (code != SQLITE_ROW) return failure(code);
    if (value != good) return failure(SQLITE_CORRUPT);
  }
  const int code = execute(db_, "PRAGMA synchronous = FULL");
  return code == SQLITE_OK ? Result<Done>(Done{}) : failure(code);
}

Result<std::vector<policy::Approval>> SqliteApprovalStore::load() {
  std::vector<policy::Approval> records;
  Statement row(db_, "SELECT record FROM approval ORDER BY id");
  int code = row.step();
  for (; code == SQLITE_ROW; code = row.step()) {
    auto record = from_row(row.text());
    if (!record) return failure(SQLITE_CORRUPT);
    records.push_back(std::move(*record));
  }
  if (code != SQLITE_DONE) return failure(code);
  return records;
}

Result<Done> SqliteApprovalStore::save(std::span<const policy::Approval* const> records,
                                       std::span<const std::string> forgotten) {
  const int code = write_all(records, forgotten);
  if (code != SQLITE_OK) return failure(code);
  return Done{};
}

// One transaction, all or nothing.
int SqliteApprovalStore::write_all(std::span<const policy::Approval* const> records,
                                   std::span<const std::string> forgotten) {
  int code = execute(db_, "BEGIN IMMEDIATE");
  for (size_t i = 0; i < records.size() && code == SQLITE_OK; ++i) {
    const std::string row = to_row(*records[i]);
    Statement upsert(db_,
                     "INSERT INTO approval VALUES (?1, ?2) ON CONFLICT DO UPDATE SET record = ?2");
    upsert.bind(1, records[i]->id);
    upsert.bind(2, row);
    code = run(upsert);
  }
  for (size_t i = 0; i < forgotten.size() && code == SQLITE_OK; ++i) {
    Statement remove(db_, "DELETE FROM approval WHERE id = ?1");
    remove.bind(1, forgotten[i]);
    code = run(remove);
  }
  if (code == SQLITE_OK) code = execute(db_, "COMMIT");
  if (code != SQLITE_OK && sqlite3_get_autocommit(db_) == 0) execute(db_, "ROLLBACK");
  return code;
}

Error SqliteApprovalStore::failure(int code) const {
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
          fmt::format("the approvals `{}` are damaged or no database of reeve's; restore them "
                      "from a backup, or move them away, which forgets who said yes to what",
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
  return {
      fmt::format("cannot use the approvals `{}`: {}; {}", path_, sqlite3_errstr(code), remedy)};
}

}  // namespace reeve::store
