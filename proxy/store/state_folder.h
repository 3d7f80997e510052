// The state folder (`state:` in reeve.yaml), held by one reeve at a time.
//
// Two sidecars that spend from one ledger would each believe in marks that the other overwrites;
// so the folder is locked with flock(2) on its file `lock`, which the kernel frees when the process
// ends, however it ends. On network file systems without flock the lock is refused, not skipped.
#ifndef REEVE_PROXY_STORE_STATE_FOLDER_H_
#define REEVE_PROXY_STORE_STATE_FOLDER_H_

#include <string>
#include <string_view>

#include "policy/result.h"

namespace reeve::store {

class StateFolder {
 public:
  // Creates the folder (0700) where it does not exist; its parent must. The error names the folder
  // and the remedy.
  static Result<StateFolder> open(const std::string& path);
  StateFolder(StateFolder&& other) noexcept;
  StateFolder& operator=(StateFolder&& other) noexcept;
  ~StateFolder();

  const std::string& path() const { return path_; }
  // The path of a file in it.
  std::string file(std::string_view name) const;

 private:
  StateFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_ = -1;  // locked file descriptor
};

}  // namespace reeve::store

#endif  // REEVE_PROXY_STORE_STATE_FOLDER_H_
