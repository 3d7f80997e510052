// Who hears of a change: the calls that wait, the record, the metrics. Tested by
// tests/e2e/approval_*_test.mjs.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "policy/json.h"
#include "policy/text.h"
#include "proxy/approvals/desk.h"

namespace reeve::approvals {

namespace asio = boost::asio;
using policy::Approval;
using policy::ApprovalState;

namespace {

void member(std::string& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  out += fmt::format(",\"{}\":", name);
  json::append_string(out, text);
}

}  // namespace

bool Desk::is_waited_for(const std::string& id) {
  const auto at = held_.find(id);
  if (at == held_.end()) return false;
  return std::any_of(at->second.begin(), at->second.end(),
                     [](const Listener& each) { return !each.held.expired(); });
}

void Desk::post(const Listener& listener, std::function<void(Held&)> news) {
  if (listener.held.expired()) return;
  asio::post(*listener.context, [held = listener.held, news = std::move(news)] {
    const auto still = held.lock();
    if (!still) return;
    news(*still);
    still->timer.cancel();
  });
}

void Desk::tell(const std::string& id) {
  const auto at = held_.find(id);
  if (at == held_.end()) return;
  const ApprovalState state = records_.find(id)->state;
  for (const Listener& each : at->second) {
    post(each, [state](Held& held) { held.verdict = state; });
  }
  // Whoever still waits for a yes that is there uses it, or is told that another has.
  held_.erase(at);
}

void Desk::cancel(std::string key) {
  submit([this, key = std::move(key)] {
    for (const auto& [id, listeners] : held_) {
      for (const Listener& each : listeners) {
        if (each.key == key) post(each, [](Held& held) { held.cancelled = true; });
      }
    }
  });
}

void Desk::drain() {
  submit([this] {
    for (const auto& [id, listeners] : held_) {
      for (const Listener& each : listeners) {
        post(each, [](Held& held) { held.draining = true; });
      }
    }
  });
}

bool Desk::take_place(size_t bytes, size_t most, size_t most_bytes) {
  const size_t places = places_.fetch_add(1, std::memory_order_relaxed);
  const size_t held = place_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (places < most && held + bytes <= most_bytes) return true;
  give_place(bytes);
  return false;
}

void Desk::give_place(size_t bytes) {
  places_.fetch_sub(1, std::memory_order_relaxed);
  place_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

void Desk::count(const Approval& record) {
  const std::lock_guard lock(mutex_);
  const bool asked = record.state == ApprovalState::kPending;
  const std::string verdict(asked ? "asked" : policy::to_string(record.state));
  ++counts_.verdicts[{record.bound.agent, verdict}];
  counts_.pending = records_.pending();
  // A yes that expires has been counted when it was said: before it could.
  const bool decides =
      record.state == ApprovalState::kApproved || record.state == ApprovalState::kDenied ||
      (record.state == ApprovalState::kExpired && record.decided >= record.expires);
  if (!decides) return;
  const double seconds = std::chrono::duration<double>(record.decided - record.asked).count();
  const auto bucket = std::lower_bound(kWaitBounds.begin(), kWaitBounds.end(), seconds);
  ++counts_.waits[static_cast<size_t>(bucket - kWaitBounds.begin())];
  counts_.wait_sum += seconds;
}

Counts Desk::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

bool Desk::write_line(const Approval& record, std::string_view call) {
  constexpr size_t kLongest = 1024;
  std::string line;
  member(line, "approval", record.id);
  member(line, "call", call);
  member(line, "agent", record.bound.agent);
  member(line, "owner", record.owner);
  member(line, "upstream", record.bound.upstream);
  member(line, "action", record.bound.action);
  member(line, "target", policy::visible(record.bound.target, kLongest));
  member(line, "args_sha256", record.bound.digest);
  const bool pending = record.state == ApprovalState::kPending;
  const bool voted =
      !record.votes.empty() && (pending || record.state == ApprovalState::kApproved ||
                                record.state == ApprovalState::kDenied);
  member(line, "verdict",
         !pending               ? policy::to_string(record.state)
         : record.votes.empty() ? "asked"
                                : "yes");
  if (voted) {
    member(line, "approver", record.votes.back().person);
    member(line, "why", record.votes.back().why);
  }
  std::string rules;
  for (const policy::ApprovalAsk& ask : record.asks) rules += (rules.empty() ? "" : ",") + ask.rule;
  member(line, "rule", policy::visible(rules, kLongest));
  member(line, "policy", record.policy);
  if (record.open()) member(line, "expires", format_time(record.expires));
  return journal_.append("approval", line, wall_now());
}

}  // namespace reeve::approvals
