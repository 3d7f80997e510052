// The Loop's epoll is an internal descriptor of Asio's reactor, as its own pipe for signals is: the
// reactor calls back on each edge, and the wait is never started anew. That is an interface of
// Asio's own (boost/asio/detail), used here and nowhere else.
// Tested by tests/proxy/loop_test.cc.
#include "proxy/net/loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <system_error>

namespace reeve::net {
namespace {

namespace asio = boost::asio;

constexpr int kBatch = 128;
// Batches before Asio's own timers, accepts and posts have their turn.
constexpr int kRounds = 8;
constexpr uint32_t kWatched = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr uint32_t kBroken = EPOLLERR | EPOLLHUP;

int make_epoll() {
  const int made = ::epoll_create1(EPOLL_CLOEXEC);
  if (made < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return made;
}

}  // namespace

bool Watch::start(int fd) {
  epoll_event event{};
  event.events = kWatched;
  event.data.ptr = this;
  if (::epoll_ctl(loop_.epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return false;
  fd_ = fd;
  link_before(loop_.watches_);
  return true;
}

void Watch::stop() {
  if (fd_ < 0) return;
  epoll_event ignored{};
  ::epoll_ctl(loop_.epoll_, EPOLL_CTL_DEL, fd_, &ignored);
  fd_ = -1;
  unlink();
  cancel();
}

void Watch::cancel() {
  for (Wait* wait = waits_.first(); wait != nullptr; wait = waits_.after(*wait)) {
    wait->aborted = true;
  }
  if (!waits_.empty()) loop_.make_ready(waits_);
  if (ready_ == 0) return;
  // Their event has come, but they must not look for it: the socket may be gone by then.
  for (Wait* wait = loop_.ready_.first(); wait != nullptr; wait = loop_.ready_.after(*wait)) {
    if (wait->seen != this) continue;
    wait->aborted = true;
    wait->seen = nullptr;
  }
  ready_ = 0;
}

void Watch::seen(uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP | kBroken)) readable = true;
  if (events & (EPOLLRDHUP | kBroken)) ended = true;
  if (events & (EPOLLRDHUP | kBroken)) events |= EPOLLIN;
  if (events & kBroken) events |= EPOLLOUT;
  for (Wait* wait = waits_.first(); wait != nullptr;) {
    Wait* const following = waits_.after(*wait);
    if (wait->events & events) {
      wait->unlink();
      wait->seen = this;
      ++ready_;
      loop_.ready_.add(*wait);
    }
    wait = following;
  }
}

struct Loop::Reactor : asio::detail::reactor_op {
  explicit Reactor(Loop& to) : reactor_op({}, &perform, &complete), loop(to) {}

  // Never done: it stays where it is for the next edge.
  static status perform(reactor_op* op) {
    static_cast<Reactor*>(op)->loop.look();
    return not_done;
  }
  static void complete(void*, asio::detail::operation* op, const boost::system::error_code&,
                       std::size_t) {
    delete static_cast<Reactor*>(op);  // the reactor ends
  }

  Loop& loop;
  asio::detail::reactor::per_descriptor_data data{};
};

asio::execution_context::id Loop::id;

Loop& Loop::of(asio::io_context& context) {
  return asio::use_service<Loop>(static_cast<asio::execution_context&>(context));
}

Loop::Loop(asio::execution_context& context)
    : asio::execution_context::service(context),
      context_(static_cast<asio::io_context&>(context)),
      epoll_(make_epoll()) {
  auto& reactor = asio::use_service<asio::detail::reactor>(context);
  reactor.init_task();
  reactor_ = new Reactor(*this);
  reactor.register_internal_descriptor(asio::detail::reactor::read_op, epoll_, reactor_->data,
                                       reactor_);
}

Loop::~Loop() { ::close(epoll_); }

void Loop::shutdown() {
  running_ = true;  // nothing is posted any more
  for (Wait* wait = ready_.first(); wait != nullptr; wait = ready_.after(*wait)) {
    wait->seen = nullptr;
  }
  // A watch that nobody waits for may outlive the loop, if only to be closed.
  while (watches_.linked()) {
    Watch& watch = *static_cast<Watch*>(watches_.next);
    watch.fd_ = -1;
    watch.unlink();
    watch.waits_.abandon();
  }
  ready_.abandon();
  work_.reset();
}

void Loop::make_ready(Waits& waits) {
  ready_.take_all(waits);
  run_soon();
}

void Loop::at_end_of_turn(TurnEnd& end) {
  ends_.push_back(&end);
  run_soon();
}

void Loop::run_soon() {
  if (running_ || std::exchange(runs_soon_, true)) return;
  asio::post(context_, [this] {
    runs_soon_ = false;
    run_ready();
  });
}

void Loop::run_ready() {
  running_ = true;
  while (!ready_.empty() || !ends_.empty()) {
    while (Wait* const wait = ready_.first()) {
      wait->unlink();
      wait->frame.resume();
    }
    ending_.swap(ends_);
    for (TurnEnd* const end : ending_) end->end_turn();
    ending_.clear();
  }
  running_ = false;
  settle();
}

bool Loop::look() {
  std::array<epoll_event, kBatch> events;
  bool any = false;
  for (int round = 0; round < kRounds; ++round) {
    const int count = ::epoll_wait(epoll_, events.data(), kBatch, 0);
    for (int i = 0; i < count; ++i) {
      static_cast<Watch*>(events[static_cast<size_t>(i)].data.ptr)
          ->seen(events[static_cast<size_t>(i)].events);
    }
    if (count > 0) any = true;
    run_ready();
    // One event was all there was, and nothing takes long after it. After more, others have come.
    if (count <= 1) return any;
  }
  // Edges that are there by now are not reported to Asio again.
  asio::post(context_, [this] { look(); });
  return any;
}

// The context runs as long as somebody waits for a socket.
void Loop::settle() {
  if (waiting_ > 0 && !work_) work_.emplace(context_.get_executor());
  if (waiting_ == 0 && work_) work_.reset();
}

}  // namespace reeve::net
