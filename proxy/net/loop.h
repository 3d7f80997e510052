// What a coroutine waits for on its event loop: bytes on a socket, the end of a turn, an event.
//
// Each io_context has one Loop. Connections are not registered with Asio but with an epoll of the
// Loop's own, edge-triggered, once for each socket; Asio watches that epoll as one more descriptor,
// and whenever anything is there the Loop takes its events by the batch and resumes who waits for
// them. So a socket's event costs no handler and no queue of Asio's, and Asio's timers, accepts and
// posts run in the same loop beside it. All of it on the context's thread.
//
// Nobody is resumed from within close(), set() or a look at the events, only from the ready list,
// which nothing but the Loop runs: a frame never ends under its caller, and an event of a socket
// that was closed in the same batch has nobody to reach.
#ifndef REEVE_PROXY_NET_LOOP_H_
#define REEVE_PROXY_NET_LOOP_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "proxy/net/task.h"

namespace reeve::net {

// A place in a list. Leaves it when it is destroyed.
struct Link {
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { unlink(); }

  bool linked() const { return next != this; }
  void link_before(Link& other) {
    previous = other.previous;
    next = &other;
    previous->next = this;
    other.previous = this;
  }
  void unlink() {
    previous->next = next;
    next->previous = previous;
    previous = next = this;
  }

  Link* previous = this;
  Link* next = this;
};

class Watch;

// A coroutine that is suspended, in the list of what it waits for.
struct Wait : Link {
  std::coroutine_handle<> frame;
  Root* root = nullptr;
  bool aborted = false;   // what was waited for will not come
  uint32_t events = 0;    // of a socket: the ones that are enough (EPOLLIN, EPOLLOUT)
  Watch* seen = nullptr;  // the socket whose event has made it ready
};

// Who waits for the same. Those who are left when it ends are destroyed.
class Waits {
 public:
  ~Waits() { abandon(); }

  bool empty() const { return !all_.linked(); }
  void add(Wait& wait) { wait.link_before(all_); }
  Wait* first() { return empty() ? nullptr : static_cast<Wait*>(all_.next); }
  Wait* after(Wait& wait) { return wait.next == &all_ ? nullptr : static_cast<Wait*>(wait.next); }
  void take_all(Waits& from) {
    while (Wait* const wait = from.first()) {
      wait->unlink();
      add(*wait);
    }
  }
  // Destroys the coroutines that wait, and whoever awaits them.
  void abandon() {
    while (Wait* const wait = first()) {
      wait->unlink();
      wait->root->destroy();
    }
  }

 private:
  Link all_;
};

class Loop;

// `co_await` on it suspends until the owner of the list makes it ready. True: aborted.
struct Waiting : Wait {
  explicit Waiting(Waits& list) : list_(list) {}

  bool await_ready() noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> waits) noexcept {
    frame = waits;
    root = waits.promise().root;
    list_.add(*this);
  }
  bool await_resume() noexcept { return aborted; }

 private:
  Waits& list_;
};

// A socket's readiness, as far as its events have been seen.
class Watch : private Link {
 public:
  explicit Watch(Loop& loop) : loop_(loop) {}
  ~Watch() { stop(); }

  // Registers the socket; false when the kernel has no room for it.
  bool start(int fd);
  // To be called before the socket is closed. Who waits goes on, aborted.
  void stop();
  // Who waits goes on, aborted; the socket is still watched.
  void cancel();

  // Suspends until the next of these events that is seen after the call. To be awaited after a read
  // or a write has found that it would block: an edge is reported once. True: aborted.
  auto next(uint32_t events);

  // Whether a read may find something. Set by an event; cleared by who has read all there was.
  bool readable = true;
  // The peer has closed its side, or the connection is broken: reads until the end find that out.
  bool ended = false;

 private:
  friend class Loop;
  struct Next;
  void seen(uint32_t events);

  Loop& loop_;
  int fd_ = -1;
  unsigned ready_ = 0;  // of those who waited, on the ready list and not resumed
  Waits waits_;
};

// Called when everything that was ready has run.
class TurnEnd {
 public:
  virtual void end_turn() = 0;

 protected:
  virtual ~TurnEnd() = default;
};

class Loop final : public boost::asio::execution_context::service {
 public:
  static boost::asio::execution_context::id id;

  explicit Loop(boost::asio::execution_context& context);
  ~Loop() override;

  static Loop& of(boost::asio::io_context& context);

  // Resumes them all, soon.
  void make_ready(Waits& waits);
  // Calls `end` when everything that is ready by then has run, once for each time it was asked.
  // Must be alive by then.
  void at_end_of_turn(TurnEnd& end);
  // Takes what has happened since the last look and runs it, without waiting. For a loop that spins
  // (Worker); otherwise Asio calls it. Whether anything had.
  bool look();

  // Sockets that somebody waits for; the context runs as long as there are any.
  size_t waiting() const { return waiting_; }

 private:
  friend class Watch;
  struct Reactor;

  void shutdown() override;
  void run_ready();
  void run_soon();
  void settle();

  boost::asio::io_context& context_;
  const int epoll_;
  Reactor* reactor_ = nullptr;  // of Asio, which frees it
  Waits ready_;
  std::vector<TurnEnd*> ends_, ending_;
  Link watches_;  // those that were started
  size_t waiting_ = 0;
  bool running_ = false;
  bool runs_soon_ = false;  // posted
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
};

struct Watch::Next : Waiting {
  Next(Watch& watch, uint32_t wanted) : Waiting(watch.waits_), loop_(watch.loop_) {
    events = wanted;
  }
  ~Next() {
    if (frame) --loop_.waiting_;
    if (seen) --seen->ready_;
  }
  template <class P>
  void await_suspend(std::coroutine_handle<P> waits) noexcept {
    Waiting::await_suspend(waits);
    ++loop_.waiting_;
    if (!loop_.work_) loop_.settle();
  }

 private:
  Loop& loop_;
};

inline auto Watch::next(uint32_t events) { return Next(*this, events); }

}  // namespace reeve::net

#endif  // REEVE_PROXY_NET_LOOP_H_
