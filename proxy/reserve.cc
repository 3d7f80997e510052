// See reserve.h. Tested end to end by tests/e2e/spend_test.mjs.
#include "proxy/reserve.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/price_result.h"
#include "proxy/llm/call.h"
#include "proxy/result_cost.h"
#include "proxy/retried.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

// Where the answer says what the call cost, it is read for that.
void read_result(Exchange& x) {
  x.result_cost.reset();
  const auto* terms = policy::price_by_result(*x.snapshot->policy, x.call, x.spend);
  if (terms == nullptr) return;
  std::optional<std::string> id;
  if (x.message && x.message->id_value) id = mcp::id_key(*x.message->id_value);
  // A message that asks for no answer gets none.
  if (x.is_mcp() && !id) return;
  x.result_cost = std::make_shared<ResultCost>(*terms, std::move(id),
                                               x.worker.services().config.limits.body_bytes);
}

// What the call costs at most; true goes on.
bool price(Exchange& x) {
  // Of a policy before, where the call was decided anew.
  x.spend = {};
  x.result_cost.reset();
  const auto spend = x.snapshot->policy->spend(*x.agent, x.call);
  std::string fault =
      spend ? llm::price_fault(x, *spend) : fmt::format("Denied: {}", spend.error());
  if (!fault.empty()) return x.refuse_or_overlook(403, "price", std::move(fault));
  x.spend = *spend;
  read_result(x);
  return true;
}

std::span<const policy::Draw> draws(const Exchange& x) {
  return {x.spend.draws.data(), x.spend.count};
}

// As though each budget were a rule that asks.
void ask_for(Exchange& x, const std::vector<OverBudget>& asks) {
  x.over = std::make_unique<approvals::Over>();
  const auto accounts = x.snapshot->policy->accounts();
  for (const OverBudget& each : asks) {
    policy::RuleInfo rule;
    rule.effect = policy::Effect::kAsk;
    rule.id = fmt::format("{}{}", approvals::kBudgetAsks, each.account->key().budget);
    rule.because = each.message;
    rule.ask = each.ask;
    const auto at =
        std::find(x.snapshot->accounts.begin(), x.snapshot->accounts.end(), each.account);
    if (at != x.snapshot->accounts.end()) {
      rule.at = accounts[static_cast<size_t>(at - x.snapshot->accounts.begin())].at;
    }
    x.over->rules.push_back(std::move(rule));
    x.over->budgets.push_back(each.account);
  }
}

// Report mode asks nobody; a tunnel is enforced in it, too.
bool may_ask(const Exchange& x) { return !x.snapshot->policy->report() || x.destination; }

bool take(Exchange& x, Treasury::Outcome held, bool asks) {
  if (held) {
    x.reservation = std::move(*held);
    return true;
  }
  SpendRefusal& why = held.error();
  std::string detail = fmt::format("Denied: {}", why.message);
  if (why.kind != SpendRefusal::Kind::kOverBudget) return x.refuse(503, "ledger", detail);
  if (asks && !why.asks.empty() && may_ask(x)) {
    ask_for(x, why.asks);
    return true;
  }
  const bool goes_on = x.refuse_or_overlook(402, "budget", std::move(detail));
  (goes_on ? x.overlooked : x.refusal)->budget = std::move(why);
  return goes_on;
}

// The usual case, without a coroutine's frame of 2 KiB. Nothing when the store has to be asked.
std::optional<bool> reserve_from_memory(Exchange& x) {
  auto held = x.worker.services().treasury.try_reserve(draws(x), x.snapshot->accounts, x.time);
  if (!held) return std::nullopt;
  return take(x, std::move(*held), true);
}

net::Task<bool> reserve_from_store(Exchange& x) {
  Treasury& treasury = x.worker.services().treasury;
  co_return take(x, co_await treasury.reserve(draws(x), x.snapshot->accounts, x.time), true);
}

}  // namespace

net::Step<bool> reserve(Exchange& x) {
  x.over.reset();
  if (!price(x)) return false;
  // The first attempt is charged, and the upstream makes the call once.
  if (x.retried && x.retried->is_retry()) {
    x.spend = {};
    x.result_cost.reset();
  }
  if (x.spend.count == 0) return true;
  if (const auto done = reserve_from_memory(x)) return *done;
  return reserve_from_store(x);
}

net::Task<bool> reserve_over(Exchange& x) {
  Treasury& treasury = x.worker.services().treasury;
  co_return take(
      x, co_await treasury.reserve(draws(x), x.snapshot->accounts, x.time, x.over->budgets), false);
}

}  // namespace reeve
