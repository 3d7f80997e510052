// Where approvals are kept, so that a restart forgets neither a question nor a yes.
//
// Implementations block and are used by one thread at a time: the approval desk gives them its own.
// A store that several sidecars share implements the same interface; what it must add is that
// `save` fails where another has changed a record since it was loaded.
#ifndef REEVE_PROXY_STORE_APPROVAL_STORE_H_
#define REEVE_PROXY_STORE_APPROVAL_STORE_H_

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "policy/approvals.h"
#include "policy/result.h"
#include "proxy/store/sqlite.h"
#include "proxy/store/store.h"

namespace reeve::store {

class ApprovalStore {
 public:
  virtual ~ApprovalStore() = default;

  virtual Result<std::vector<policy::Approval>> load() = 0;

  // Replaces these records and removes those of the ids in `forgotten`, in one transaction. When it
  // succeeds they are on disk; on an error nothing has changed.
  virtual Result<Done> save(std::span<const policy::Approval* const> records,
                            std::span<const std::string> forgotten) = 0;
};

// Of one host: a SQLite file of its own beside the ledger's, so that neither waits for the other;
// write-ahead log, synchronous=FULL. A file that is damaged, of another program or of a newer reeve
// is refused, never replaced.
class SqliteApprovalStore : public ApprovalStore {
 public:
  // Creates the file (0600) and its table where they do not exist. Its folder must exist.
  static Result<std::unique_ptr<SqliteApprovalStore>> open(const std::string& path);
  SqliteApprovalStore(const SqliteApprovalStore&) = delete;
  SqliteApprovalStore& operator=(const SqliteApprovalStore&) = delete;

  Result<std::vector<policy::Approval>> load() override;
  Result<Done> save(std::span<const policy::Approval* const> records,
                    std::span<const std::string> forgotten) override;

 private:
  explicit SqliteApprovalStore(Database database) : database_(std::move(database)) {}
  int write_all(std::span<const policy::Approval* const> records,
                std::span<const std::string> forgotten);

  Database database_;
};

// A record as its row has it: JSON, whose members are a file format: they may be added to, never
// renamed.
std::string to_row(const policy::Approval& approval);
// Nothing where the text is no such record.
std::optional<policy::Approval> from_row(const std::string& text);

}  // namespace reeve::store

#endif  // REEVE_PROXY_STORE_APPROVAL_STORE_H_
