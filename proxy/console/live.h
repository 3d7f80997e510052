// What happens, as it is recorded, for pages that watch: server-sent events.
//
// Calls know nothing of it: it reads on in the record's own file, beside the event loop, ten times
// a second while somebody watches, and not at all otherwise. What a page does not take in time is
// dropped, and the page is told how many lines it has missed. Of the admin side's thread.
#ifndef REEVE_PROXY_CONSOLE_LIVE_H_
#define REEVE_PROXY_CONSOLE_LIVE_H_

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/beside.h"
#include "proxy/net/stream.h"

namespace reeve::console {

// One page's queue of events, bounded. What is a state has one place: the newest.
class Watcher {
 public:
  static constexpr size_t kMostBytes = 1024 * 1024;

  Watcher(net::asio::io_context& context, size_t states) : wake_(context), states_(states) {}

  void add_lines(std::shared_ptr<const std::string> event, size_t lines);
  void add_missed(uint64_t lines) { missed_ += lines; }
  void set_state(size_t which, std::shared_ptr<const std::string> event);
  // Whoever waits goes on.
  void wake() { wake_.cancel(); }

  // What is to be sent now, some of it where there is much; empty: nothing.
  std::string take();
  // Until there is something, or for so long.
  net::Task<void> wait(std::chrono::milliseconds most);

 private:
  struct Event {
    std::shared_ptr<const std::string> text;
    size_t lines;
  };
  bool is_empty() const;

  net::Timer wake_;
  std::deque<Event> events_;
  size_t bytes_ = 0;
  uint64_t missed_ = 0;
  std::vector<std::shared_ptr<const std::string>> states_;  // null: nothing new
};

class Tail;  // live.cc

class Live {
 public:
  static constexpr size_t kMostWatchers = 32;

  // A state that pages show: the event's name, and its JSON, which is asked for once a second.
  struct State {
    std::string name;
    std::function<std::string()> json;
  };
  Live(std::string audit_path, std::vector<State> states, net::asio::io_context& context);
  ~Live();

  // Null when there are as many as there may be.
  std::shared_ptr<Watcher> watch();

 private:
  net::Task<void> pump();
  void tell_states();
  void deliver(const std::string& lines, size_t count, uint64_t missed);
  bool is_watched();

  const std::string audit_path_;
  const std::vector<State> states_;
  net::asio::io_context& context_;
  std::vector<std::weak_ptr<Watcher>> watchers_;
  std::vector<std::shared_ptr<const std::string>> told_;  // the states' last events
  std::shared_ptr<Tail> tail_;
  bool pumping_ = false;
  net::Beside beside_{1};
};

}  // namespace reeve::console

#endif  // REEVE_PROXY_CONSOLE_LIVE_H_
