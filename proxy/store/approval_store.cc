// One table, a row for each record. Tested by tests/proxy/approval_store_test.cc.
#include "proxy/store/approval_store.h"

namespace reeve::store {
namespace {

constexpr DatabaseKind kApprovals = {
    .subject = "the approvals",
    .was = "were",
    .damaged =
        "are damaged or no database of reeve's; restore them from a backup, or move them "
        "away, which forgets who said yes to what",
    .application_id = 0x72656561,  // "reea"
    .version = 1,
    .schema =
        "CREATE TABLE approval (id TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, "
        "WITHOUT ROWID;",
    .upgrade = nullptr};

int run(Statement& statement) {
  const int code = statement.step();
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

}  // namespace

Result<std::unique_ptr<SqliteApprovalStore>> SqliteApprovalStore::open(const std::string& path) {
  auto database = Database::open(path, kApprovals);
  if (!database) return database.error();
  return std::unique_ptr<SqliteApprovalStore>(new SqliteApprovalStore(std::move(*database)));
}

Result<std::vector<policy::Approval>> SqliteApprovalStore::load() {
  std::vector<policy::Approval> records;
  Statement row(database_.get(), "SELECT record FROM approval ORDER BY id");
  int code = row.step();
  for (; code == SQLITE_ROW; code = row.step()) {
    auto record = from_row(row.text());
    if (!record) return database_.failure(SQLITE_CORRUPT);
    records.push_back(std::move(*record));
  }
  if (code != SQLITE_DONE) return database_.failure(code);
  return records;
}

Result<Done> SqliteApprovalStore::save(std::span<const policy::Approval* const> records,
                                       std::span<const std::string> forgotten) {
  const int code = write_all(records, forgotten);
  if (code != SQLITE_OK) return database_.failure(code);
  return Done{};
}

// One transaction, all or nothing.
int SqliteApprovalStore::write_all(std::span<const policy::Approval* const> records,
                                   std::span<const std::string> forgotten) {
  int code = execute(database_.get(), "BEGIN IMMEDIATE");
  for (size_t i = 0; i < records.size() && code == SQLITE_OK; ++i) {
    const std::string row = to_row(*records[i]);
    Statement upsert(database_.get(),
                     "INSERT INTO approval VALUES (?1, ?2) ON CONFLICT DO UPDATE SET record = ?2");
    upsert.bind(1, records[i]->id);
    upsert.bind(2, row);
    code = run(upsert);
  }
  for (size_t i = 0; i < forgotten.size() && code == SQLITE_OK; ++i) {
    Statement remove(database_.get(), "DELETE FROM approval WHERE id = ?1");
    remove.bind(1, forgotten[i]);
    code = run(remove);
  }
  if (code == SQLITE_OK) code = execute(database_.get(), "COMMIT");
  if (code != SQLITE_OK && sqlite3_get_autocommit(database_.get()) == 0)
    execute(database_.get(), "ROLLBACK");
  return code;
}

}  // namespace reeve::store
