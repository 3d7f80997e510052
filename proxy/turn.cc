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

Turn::Turn(Journal& journal, net::asio::io_context& context)
    : journal_(journal), context_(context), link_(std::make_shared<Link>()) {
  link_->turn = this;
}

Turn::~Turn() {
  std::lock_guard lock(link_->mutex);
  link_->turn = nullptr;
}

bool Turn::crowded() const { return entries_.size() >= kMostLines || text_.size() >= kMostBytes; }

void Turn::add(std::string_view kind, std::string_view members, policy::Time now) {
  const size_t begin = text_.size();
  text_ += members;
  entries_.push_back({kind, begin, text_.size(), now});
}

net::Task<bool> Turn::record(std::string_view kind, std::string_view members, policy::Time now) {
  const bool alone = calls_ <= 1 || crowded();
  if (alone && !journal_.waits_for_disk()) co_return journal_.append(kind, members, now);
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
  if (journal_.waits_for_disk() && !waiting_.empty()) return write_durably();
  const bool written = write();
  resuming_.swap(waiting_);
  for (Handler& handler : resuming_) std::move(handler)(written);
  resuming_.clear();
  if (waiting_.empty()) write();  // outcomes of those that went on and ended at once
}

// The same for `sync: disk`: who waits is resumed when the journal's thread says so.
void Turn::write_durably() {
  const uint64_t number = ++number_;
  gather_lines();
  const auto done = [link = link_, number](bool written) {
    std::lock_guard lock(link->mutex);
    if (link->turn == nullptr) return;
    net::asio::post(link->turn->context_,
                    [turn = link->turn, number, written] { turn->finish(number, written); });
  };
  Waiting& waiting =
      for_disk_.emplace(number, Waiting{std::move(waiting_), net::Timer(context_)}).first->second;
  waiting_.clear();
  waiting.deadline.expires_after(journal_.deadline());
  waiting.deadline.async_wait([this, number](net::ErrorCode ec) {
    if (!ec) finish(number, false);
  });
  const bool queued = journal_.append_durable(lines_, done);
  entries_.clear();
  text_.clear();
  if (!queued) finish(number, false);
}

void Turn::finish(uint64_t number, bool written) {
  auto found = for_disk_.extract(number);
  if (found.empty()) return;  // its deadline was over
  found.mapped().deadline.cancel();
  for (Handler& handler : found.mapped().handlers) std::move(handler)(written);
}

void Turn::gather_lines() {
  lines_.clear();
  for (const Entry& entry : entries_) {
    lines_.push_back({entry.kind,
                      std::string_view(text_).substr(entry.begin, entry.end - entry.begin),
                      entry.time});
  }
}

bool Turn::write() {
  if (entries_.empty()) return true;
  gather_lines();
  const bool written = journal_.append(lines_);
  entries_.clear();
  text_.clear();
  return written;
}

}  // namespace reeve
