// The store of one host: a SQLite file, write-ahead log, synchronous=FULL.
//
// Every failure is a sentence that names the file and the remedy (sqlite.h). A file that cannot be
// used is refused, never replaced: to start anew forgets what was spent, which only a person may
// decide.
#ifndef REEVE_PROXY_STORE_SQLITE_STORE_H_
#define REEVE_PROXY_STORE_SQLITE_STORE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/store/sqlite.h"
#include "proxy/store/store.h"

namespace reeve::store {

class SqliteStore : public Store {
 public:
  // Creates the file (0600) and its tables where they do not exist. Its folder must exist. `vfs` is
  // SQLite's name of a file layer, null for the system's.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path,
                                                   const char* vfs = nullptr);
  // The marks of a file that another process may use: for a look. Nothing is written; a file that
  // is not there has none.
  static Result<std::vector<policy::Mark>> read(const std::string& path);
  ~SqliteStore() override;
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  Result<std::vector<policy::Mark>> load() override;
  Result<Done> persist(std::span<const policy::MarkWrite> writes) override;

 private:
  explicit SqliteStore(Database database) : database_(std::move(database)) {}
  int write_all(std::span<const policy::MarkWrite> writes);
  int upsert(const policy::MarkWrite& write);

  Database database_;
  sqlite3_stmt* upsert_ = nullptr;
};

}  // namespace reeve::store

#endif  // REEVE_PROXY_STORE_SQLITE_STORE_H_
