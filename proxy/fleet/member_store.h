// Who this sidecar is in its fleet, kept in the ledger's database, so that it is copied, lost and
// restored together with the marks: only who has those may say what of its leases is unspent.
//
// Used by one thread at a time, which may be another than the ledger's.
#ifndef REEVE_PROXY_FLEET_MEMBER_STORE_H_
#define REEVE_PROXY_FLEET_MEMBER_STORE_H_

#include <memory>
#include <string>

#include "policy/leases.h"
#include "policy/result.h"

struct sqlite3;

namespace reeve::fleet {

class MemberStore {
 public:
  // `path` is of a ledger that exists (store/sqlite_store.h).
  static Result<std::unique_ptr<MemberStore>> open(const std::string& path);
  ~MemberStore();
  MemberStore(const MemberStore&) = delete;
  MemberStore& operator=(const MemberStore&) = delete;

  // Nobody yet: a member without a name.
  Result<policy::MemberState> load();
  // On disk when it succeeds; on an error it may be or not.
  Result<bool> save(const policy::MemberState& state);

 private:
  MemberStore(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}
  Error failure(int code) const;

  const std::string path_;
  sqlite3* db_;
};

}  // namespace reeve::fleet

#endif  // REEVE_PROXY_FLEET_MEMBER_STORE_H_
