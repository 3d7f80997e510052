// A Unix socket that is listened on: made with care about who may reach it, taken away at the end.
#ifndef REEVE_PROXY_NET_UNIX_LISTENER_H_
#define REEVE_PROXY_NET_UNIX_LISTENER_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "policy/result.h"

namespace reeve::net {

class UnixListener {
 public:
  // Binds and listens. The socket's mode is 0660: its owner and group may connect, and its group is
  // the folder's where that is setgid. The socket of a process that is gone is replaced, one that
  // is served never. Refused with a sentence and its remedy: a
  // path of more than 107 bytes, a folder where anybody may put another socket in this one's place
  // (world-writable and not sticky), anything at the path that is no socket.
  static Result<UnixListener> open(const std::string& path);
  ~UnixListener();  // removes the socket, if it is still the one that was made
  UnixListener(UnixListener&& other) noexcept;
  UnixListener& operator=(UnixListener&&) = delete;

  // A further descriptor of the same socket, for one more event loop; the caller's to close. -1
  // when there is none left.
  int duplicate() const;

 private:
  UnixListener(std::string path, int fd, dev_t device, ino_t inode)
      : path_(std::move(path)), fd_(fd), device_(device), inode_(inode) {}

  std::string path_;
  int fd_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// The user of the process that connected (SO_PEERCRED): the kernel's word, as of the connect; a
// descriptor that is passed on keeps it. Nothing when the socket is no Unix socket.
std::optional<uint32_t> peer_uid(int fd);

}  // namespace reeve::net

#endif  // REEVE_PROXY_NET_UNIX_LISTENER_H_
