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
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/journal.h"
#include "proxy/net/asio.h"
#include "proxy/net/loop.h"

namespace reeve {

class Turn final : private net::TurnEnd {
 public:
  Turn(Journal& journal, net::asio::io_context& context);
  ~Turn() override;
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
  net::Step<bool> record(std::string_view kind, std::string_view members, policy::Time now);
  // Writes the line at once or at the end of the turn.
  void record_soon(std::string_view kind, std::string_view members, policy::Time now);

 private:
  struct Entry {
    std::string_view kind;  // a literal
    size_t begin, end;      // of the members, in text_
    policy::Time time;
  };

  bool crowded() const;
  // Nothing where it is worth waiting for others.
  std::optional<bool> record_alone(std::string_view kind, std::string_view members,
                                   policy::Time now);
  net::Task<bool> wait();
  void add(std::string_view kind, std::string_view members, policy::Time now);
  void end_soon();
  void end_turn() override;
  bool write();
  void go_on(net::Waits& waits, bool written);
  void gather_lines();
  void write_durably();
  void finish(uint64_t number, bool written);

  // Calls that wait for the disk, at most for the journal's deadline.
  struct ForDisk {
    explicit ForDisk(net::asio::io_context& context) : deadline(context) {}
    net::Waits waits;
    net::Timer deadline;
  };
  // What the journal's thread knows of a turn that may be gone.
  struct Link {
    std::mutex mutex;
    Turn* turn;  // guarded by mutex
  };

  Journal& journal_;
  net::asio::io_context& context_;
  net::Loop& loop_;
  size_t calls_ = 0;
  bool ends_soon_ = false;
  std::string text_;
  std::vector<Entry> entries_;
  std::vector<JournalLine> lines_;  // scratch
  net::Waits waiting_;
  const std::shared_ptr<Link> link_;
  std::map<uint64_t, ForDisk> for_disk_;
  uint64_t number_ = 0;
};

}  // namespace reeve

#endif  // REEVE_PROXY_TURN_H_
