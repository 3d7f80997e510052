// Tested by tests/proxy/console_live_test.cc and tests/e2e/console_live_test.mjs.
#include "proxy/console/live.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proxy/clock.h"
#include "proxy/console/tail.h"

namespace reeve::console {
namespace {

constexpr std::chrono::milliseconds kLook{100};
constexpr std::chrono::milliseconds kStates{1000};
constexpr size_t kMostTaken = 256 * 1024;  // for one write

}  // namespace

void Watcher::add_lines(std::shared_ptr<const std::string> event, size_t lines) {
  bytes_ += event->size();
  events_.push_back({std::move(event), lines});
  while (bytes_ > kMostBytes) {
    bytes_ -= events_.front().text->size();
    missed_ += events_.front().lines;
    events_.pop_front();
  }
}

void Watcher::set_state(size_t which, std::shared_ptr<const std::string> event) {
  states_[which] = std::move(event);
}

bool Watcher::is_empty() const {
  return events_.empty() && missed_ == 0 &&
         std::all_of(states_.begin(), states_.end(), [](const auto& state) { return !state; });
}

std::string Watcher::take() {
  std::string out;
  for (auto& state : states_) {
    if (const auto event = std::exchange(state, nullptr)) out += *event;
  }
  if (const uint64_t missed = std::exchange(missed_, 0)) {
    out += fmt::format("event: missed\ndata: {{\"lines\":{}}}\n\n", missed);
  }
  while (!events_.empty() && (out.empty() || out.size() < kMostTaken)) {
    out += *events_.front().text;
    bytes_ -= events_.front().text->size();
    events_.pop_front();
  }
  return out;
}

net::Task<void> Watcher::wait(std::chrono::milliseconds most) {
  if (!is_empty()) co_return;
  net::ErrorCode ec;
  wake_.expires_after(most);
  co_await wake_.async_wait(net::asio::redirect_error(net::kAwait, ec));
}

Live::Live(std::string audit_path, std::vector<State> states, net::asio::io_context& context)
    : audit_path_(std::move(audit_path)),
      states_(std::move(states)),
      context_(context),
      told_(states_.size()) {}

Live::~Live() = default;

bool Live::is_watched() {
  std::erase_if(watchers_, [](const auto& watcher) { return watcher.expired(); });
  return !watchers_.empty();
}

std::shared_ptr<Watcher> Live::watch() {
  is_watched();
  if (watchers_.size() >= kMostWatchers) return nullptr;
  auto watcher = std::make_shared<Watcher>(context_, states_.size());
  for (size_t i = 0; i < told_.size(); ++i) watcher->set_state(i, told_[i]);
  watchers_.push_back(watcher);
  // From now on nothing is passed over: a page that asks for what was before misses nothing.
  if (!tail_) tail_ = std::make_shared<Tail>(audit_path_);
  if (!std::exchange(pumping_, true)) net::spawn(context_, pump());
  return watcher;
}

net::Task<void> Live::pump() {
  net::Timer timer(context_);
  Steady told{};
  while (is_watched()) {
    if (steady_now() - told >= kStates) {
      told = steady_now();
      tell_states();
    }
    const Tail::Batch batch =
        co_await beside_.run<Tail::Batch>([tail = tail_] { return tail->read(); });
    deliver(batch.lines, batch.count, batch.missed);
    net::ErrorCode ec;
    timer.expires_after(kLook);
    co_await timer.async_wait(net::asio::redirect_error(net::kAwait, ec));
    if (ec) break;
  }
  pumping_ = false;
  tail_ = nullptr;
  std::fill(told_.begin(), told_.end(), nullptr);
}

void Live::tell_states() {
  for (size_t i = 0; i < states_.size(); ++i) {
    std::string text = fmt::format("event: {}\ndata: {}\n\n", states_[i].name, states_[i].json());
    if (told_[i] && *told_[i] == text) continue;
    told_[i] = std::make_shared<const std::string>(std::move(text));
    for (const auto& each : watchers_) {
      const auto watcher = each.lock();
      if (!watcher) continue;
      watcher->set_state(i, told_[i]);
      watcher->wake();
    }
  }
}

void Live::deliver(const std::string& lines, size_t count, uint64_t missed) {
  if (count == 0 && missed == 0) return;
  std::shared_ptr<const std::string> event;
  if (count > 0) {
    event = std::make_shared<const std::string>(fmt::format("event: lines\ndata: [{}]\n\n", lines));
  }
  for (const auto& each : watchers_) {
    const auto watcher = each.lock();
    if (!watcher) continue;
    if (event) watcher->add_lines(event, count);
    watcher->add_missed(missed);
    watcher->wake();
  }
}

}  // namespace reeve::console
