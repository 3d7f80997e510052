// See sqlite.h. Tested by tests/proxy/store_test.cc and approval_store_test.cc.
#include "proxy/store/sqlite.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>

namespace reeve::store {

namespace {

constexpr int kBusyTimeoutMs = 1000;
constexpr int kLogPages = 256;  // of 4 KiB, after which the log is folded into the file

// The first column of the one row that `sql` gives. The statement is closed when this returns: an
// open one would be a transaction, in which the journal mode cannot change.
int read_one(sqlite3* db, const char* sql, std::string& value) {
  Statement statement(db, sql);
  const int code = statement.step();
  if (code == SQLITE_ROW) value = statement.text();
  return code == SQLITE_DONE ? SQLITE_ERROR : code;
}

}  // namespace

std::string Statement::text(int column) {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

int execute(sqlite3* db, const char* sql) {
  return sqlite3_exec(db, sql, nullptr, nullptr, nullptr);
}

int Database::open_file(int flags, const char* vfs) {
  const int code = sqlite3_open_v2(path_.c_str(), &db_, flags | SQLITE_OPEN_NOMUTEX, vfs);
  if (db_ == nullptr) return SQLITE_NOMEM;
  if (code != SQLITE_OK) return code;
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, kBusyTimeoutMs);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return SQLITE_OK;
}

Result<Database> Database::open(const std::string& path, const DatabaseKind& kind,
                                const char* vfs) {
  // SQLite would create it readable by all; its log files take over the mode of this one.
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) {
    return Error{fmt::format(
        "cannot open {} `{}`: {}; its folder must exist and be writable by the user that runs "
        "reeve",
        kind.subject, path, std::strerror(errno))};
  }
  ::close(file);
  Database database(path, kind);
  if (const int code = database.open_file(SQLITE_OPEN_READWRITE, vfs); code != SQLITE_OK) {
    return database.failure(code);
  }
  // First of all, so that a file of another program stays as it is.
  if (const auto done = database.check_schema(true); !done) return done.error();
  if (const auto done = database.use_log(); !done) return done.error();
  return database;
}

Result<Database> Database::open_to_read(const std::string& path, const DatabaseKind& kind) {
  Database database(path, kind);
  if (const int code = database.open_file(SQLITE_OPEN_READONLY, nullptr); code != SQLITE_OK) {
    return database.failure(code);
  }
  if (const auto done = database.check_schema(false); !done) return done.error();
  return database;
}

int Database::run_all(const std::string& statements) {
  const int code = execute(db_, fmt::format("BEGIN IMMEDIATE; {} PRAGMA application_id = {}; "
                                            "PRAGMA user_version = {}; COMMIT;",
                                            statements, kind_->application_id, kind_->version)
                                    .c_str());
  if (code != SQLITE_OK && sqlite3_get_autocommit(db_) == 0) execute(db_, "ROLLBACK");
  return code;
}

Result<Done> Database::check_schema(bool create) {
  int64_t values[3] = {};
  constexpr const char* kReads[] = {"PRAGMA application_id", "PRAGMA user_version",
                                    "SELECT count(*) FROM sqlite_schema"};
  for (size_t i = 0; i < std::size(kReads); ++i) {
    Statement read(db_, kReads[i]);
    if (const int code = read.step(); code != SQLITE_ROW) return failure(code);
    values[i] = read.integer();
  }
  const auto [application, version, tables] = values;
  version_ = version;
  if (application == 0 && version == 0 && tables == 0 && create) {
    version_ = kind_->version;
    const int code = run_all(kind_->schema);
    return code == SQLITE_OK ? Result<Done>(Done{}) : failure(code);
  }
  if (application != kind_->application_id) {
    return Error{fmt::format("`{}` is a database of another program; move it away", path_)};
  }
  if (version > kind_->version) {
    return Error{
        fmt::format("{} `{}` {} written by a newer reeve (format {}, this one knows {}); "
                    "run that one, or set `state:` to another folder",
                    kind_->subject, path_, kind_->was, version, kind_->version)};
  }
  if (version < 1) return failure(SQLITE_CORRUPT);
  if (version == kind_->version || !create) return Done{};
  version_ = kind_->version;
  const int code = run_all(kind_->upgrade);
  return code == SQLITE_OK ? Result<Done>(Done{}) : failure(code);
}

Result<Done> Database::use_log() {
  std::string value;
  if (const int code = read_one(db_, "PRAGMA quick_check(1)", value); code != SQLITE_ROW) {
    return failure(code);
  }
  if (value != "ok") return failure(SQLITE_CORRUPT);
  if (const int code = read_one(db_, "PRAGMA journal_mode = WAL", value); code != SQLITE_ROW) {
    return failure(code);
  }
  if (value != "wal") {
    return Error{
        fmt::format("{} `{}` cannot have a write-ahead log; `state:` must be on a local "
                    "disk",
                    kind_->subject, path_)};
  }
  const int code = execute(db_, "PRAGMA synchronous = FULL");
  if (code != SQLITE_OK) return failure(code);
  sqlite3_wal_autocheckpoint(db_, kLogPages);
  return Done{};
}

Error Database::failure(int code) const {
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
      return {fmt::format("{} `{}` {}", kind_->subject, path_, kind_->damaged)};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      remedy = "the file and its folder must be writable by the user that runs reeve";
      break;
    default:
      break;
  }
  return {fmt::format("cannot use {} `{}`: {}; {}", kind_->subject, path_, sqlite3_errstr(code),
                      remedy)};
}

}  // namespace reeve::store
