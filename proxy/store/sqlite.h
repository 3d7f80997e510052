// A SQLite file of reeve's: opened for its owner alone, checked to be what it should be, with a
// write-ahead log and synchronous=FULL. What the stores of one host share.
//
// Every failure is a sentence that names the file and the remedy. A file that is damaged, of
// another program or of a newer reeve is refused, never replaced. Of one thread at a time.
#ifndef REEVE_PROXY_STORE_SQLITE_H_
#define REEVE_PROXY_STORE_SQLITE_H_

#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "policy/result.h"
#include "proxy/store/store.h"

namespace reeve::store {

// What a file is, and how messages speak of it. All texts are static.
struct DatabaseKind {
  const char* subject;  // "the ledger"
  const char* was;      // "was", or "were"
  const char* damaged;  // what follows the file's name: "is damaged …; restore it …"
  int application_id;
  int version;          // of the schema
  const char* schema;   // creates the tables
  const char* upgrade;  // what makes version 1 version 2; null where there is no second
};

// A prepared statement that is finalised when it leaves scope.
class Statement {
 public:
  Statement(sqlite3* db, const char* sql) {
    code_ = sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // `text` must outlive the step.
  void bind(int index, std::string_view text) {
    if (code_ != SQLITE_OK) return;
    code_ = sqlite3_bind_text64(statement_, index, text.data(), text.size(), SQLITE_STATIC,
                                SQLITE_UTF8);
  }
  int step() { return code_ == SQLITE_OK ? sqlite3_step(statement_) : code_; }
  int64_t integer(int column = 0) { return sqlite3_column_int64(statement_, column); }
  std::string text(int column = 0);

 private:
  sqlite3_stmt* statement_ = nullptr;
  int code_;
};

int execute(sqlite3* db, const char* sql);

class Database {
 public:
  // Creates the file (0600) and its tables where they do not exist. Its folder must exist. `vfs` is
  // SQLite's name of a file layer, null for the system's. `kind` must be static.
  static Result<Database> open(const std::string& path, const DatabaseKind& kind,
                               const char* vfs = nullptr);
  // For a look: creates and changes nothing, and the file may be in use. It must exist.
  static Result<Database> open_to_read(const std::string& path, const DatabaseKind& kind);
  Database(Database&& other) noexcept
      : path_(std::move(other.path_)),
        kind_(other.kind_),
        db_(std::exchange(other.db_, nullptr)),
        version_(other.version_) {}
  Database& operator=(Database&&) = delete;
  ~Database() { sqlite3_close(db_); }

  sqlite3* get() const { return db_; }
  const std::string& path() const { return path_; }
  // Of the file's schema: of one that is only read it may be an older one.
  int64_t version() const { return version_; }
  // What a result code means, and what to do.
  Error failure(int code) const;

 private:
  Database(std::string path, const DatabaseKind& kind) : path_(std::move(path)), kind_(&kind) {}
  int open_file(int flags, const char* vfs);
  Result<Done> check_schema(bool create);
  Result<Done> use_log();
  int run_all(const std::string& statements);

  std::string path_;
  const DatabaseKind* kind_;
  sqlite3* db_ = nullptr;
  int64_t version_ = 0;
};

}  // namespace reeve::store

#endif  // REEVE_PROXY_STORE_SQLITE_H_
