// The end of a turn is a posted handler: Asio runs it after the events that are already there, and
// after one more look for others, so a turn never outlasts what is ready now.
// Tested by tests/proxy/turn_test.cc.
#include "proxy/turn.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace reeve {
namespace {

// More than this is not kept for one write: who comes later writes on its own.
constexpr size_t kMostLines = 256;
constexpr size_t kMostBytes = 256 * 1024;

}  // namespace

bool Turn::crowded() const { return entries_.size() >= kMostLines || text_.size() >= kMostBytes; }

void Turn::add(std::string_view kind, std::string_view members, policy::Time now) {
  const size_t begin = text_.size();
  text_ += members;
  entries_.push_back({kind, begin, text_.size(), now});
}

net::Task<bool> Turn::record(std::string_view kind, std::string_view members, policy::Time now) {
  if (calls_ <= 1 || crowded()) co_return journal_.append(kind, members, now);
  add(kind, members, now);
  co_return co_await wait();
}

void Turn::record_soon(std::string_view kind, std::string_view members, policy::Time now) {
  if (calls_ <= 1 || crowded()) {
    journal_.append(kind, members, now);
    return;
  }
  add(kind, members, now);
  end_soon();
}

net::Task<bool> Turn::wait() {
  return net::asio::async_initiate<decltype(net::kAwait), void(bool)>(
      [this](Handler handler) {
        waiting_.push_back(std::move(handler));
        end_soon();
      },
      net::kAwait);
}

void Turn::end_soon() {
  if (std::exchange(ends_soon_, true)) return;
  net::asio::post(context_, [this] { end(); });
}

void Turn::end() {
  ends_soon_ = false;
  const bool written = write();
  resuming_.swap(waiting_);
  for (Handler& handler : resuming_) std::move(handler)(written);
  resuming_.clear();
  if (waiting_.empty()) write();  // outcomes of those that went on and ended at once
}

bool Turn::write() {
  if (entries_.empty()) return true;
  lines_.clear();
  for (const Entry& entry : entries_) {
    lines_.push_back({entry.kind,
                      std::string_view(text_).substr(entry.begin, entry.end - entry.begin),
                      entry.time});
  }
  const bool written = journal_.append(lines_);
  entries_.clear();
  text_.clear();
  return written;
}

}  // namespace reeve
