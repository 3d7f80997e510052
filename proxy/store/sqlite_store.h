// The store of one host: a SQLite file, write-ahead log, synchronous=FULL.
//
// Every failure is a sentence that names the file and the remedy. A file that is damaged, of
// another program or of a newer reeve is refused, never replaced: to start anew forgets what was
// spent, which only a person may decide.
#ifndef REEVE_PROXY_STORE_SQLITE_STORE_H_
#define REEVE_PROXY_STORE_SQLITE_STORE_H_

#include <memory>
#include <string>

#include "proxy/store/store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace reeve::store {

class SqliteStore : public Store {
 public:
  // Creates the file (0600) and its tables where they do not exist. Its folder must exist. `vfs` is
  // SQLite's name of a file layer, null for the system's.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path,
                                                   const char* vfs = nullptr);
  ~SqliteStore() override;
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  Result<std::vector<policy::Mark>> load() override;
  Result<Done> persist(std::span<const policy::MarkWrite> writes) override;

 private:
  SqliteStore(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}
  Result<Done> prepare();
  Result<Done> create_or_check_schema();
  int write_all(std::span<const policy::MarkWrite> writes);
  int upsert(const policy::MarkWrite& write);
  Error failure(int code) const;

  const std::string path_;
  sqlite3* db_;
  sqlite3_stmt* upsert_ = nullptr;
};

}  // namespace reeve::store

#endif  // REEVE_PROXY_STORE_SQLITE_STORE_H_
