// What the calls of one turn of a worker's loop do together: one write of the record for all of
// their lines, and then their sends one after another, so that an upstream is woken once and not by
// each. Woken processes are what costs most on a call's way (../bench/README.md).
//
// The promise is the journal's: a decision's line is with the kernel before its call goes on; an
// outcome's is before the loop waits for anything. A call that is alone waits for nobody. Of one
// worker, on its thread.
#ifndef REEVE_PROXY_TURN_H_
#define REEVE_PROXY_TURN_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/journal.h"
#include "proxy/net/asio.h"

namespace reeve {

class Turn {
 public:
  Turn(Journal& journal, net::asio::io_context& context);
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  // A call under way: the turn's end is worth waiting for when there are several.
  class Call {
   public:
    explicit Call(Turn& turn) : turn_(turn) { ++turn_.calls_; }
    ~Call() { --turn_.calls_; }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Turn& turn_;
  };

  // Returns when the line is kept, as `audit.sync` says; false when it could not be written.
  net::Task<bool> record(std::string_view kind, std::string_view members, policy::Time now);
  // Writes the line at once or at the end of the turn.
  void record_soon(std::string_view kind, std::string_view members, policy::Time now);

 private:
  using Handler =
      net::asio::async_result<net::asio::use_awaitable_t<net::Executor>, void(bool)>::handler_type;
  struct Entry {
    std::string_view kind;  // a literal
    size_t begin, end;      // of the members, in text_
    policy::Time time;
  };

  bool crowded() const;
  void add(std::string_view kind, std::string_view members, policy::Time now);
  net::Task<bool> wait();
  void end_soon();
  void end();
  bool write();
  void gather_lines();
  void write_durably();
  void finish(uint64_t number, bool written);

  // Calls that wait for the disk, at most for the journal's deadline.
  struct Waiting {
    std::vector<Handler> handlers;
    net::Timer deadline;
  };
  // What the journal's thread knows of a turn that may be gone.
  struct Link {
    std::mutex mutex;
    Turn* turn;  // guarded by mutex
  };

  Journal& journal_;
  net::asio::io_context& context_;
  size_t calls_ = 0;
  bool ends_soon_ = false;
  std::string text_;
  std::vector<Entry> entries_;
  std::vector<JournalLine> lines_;  // scratch
  std::vector<Handler> waiting_, resuming_;
  const std::shared_ptr<Link> link_;
  std::map<uint64_t, Waiting> for_disk_;
  uint64_t number_ = 0;
};

}  // namespace reeve

#endif  // REEVE_PROXY_TURN_H_
