// See reserve.h. Tested end to end by tests/e2e/spend_test.mjs.
#include "proxy/reserve.h"

#include <fmt/format.h>

#include "proxy/llm/call.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

// What the call costs at most; true goes on.
bool price(Exchange& x) {
  const auto spend = x.snapshot->policy->spend(*x.agent, x.call);
  std::string fault =
      spend ? llm::price_fault(x, *spend) : fmt::format("Denied: {}", spend.error());
  if (!fault.empty()) return x.refuse_or_overlook(403, "price", std::move(fault));
  x.spend = *spend;
  return true;
}

std::span<const policy::Draw> draws(const Exchange& x) {
  return {x.spend.draws.data(), x.spend.count};
}

bool take(Exchange& x, Treasury::Outcome held) {
  if (held) {
    x.reservation = std::move(*held);
    return true;
  }
  SpendRefusal& why = held.error();
  std::string detail = fmt::format("Denied: {}", why.message);
  if (why.kind != SpendRefusal::Kind::kOverBudget) return x.refuse(503, "ledger", detail);
  const bool goes_on = x.refuse_or_overlook(402, "budget", std::move(detail));
  (goes_on ? x.overlooked : x.refusal)->budget = std::move(why);
  return goes_on;
}

// The usual case, without a coroutine's frame of 2 KiB. Nothing when the store has to be asked.
std::optional<bool> reserve_from_memory(Exchange& x) {
  auto held = x.worker.services().treasury.try_reserve(draws(x), x.snapshot->accounts, x.time);
  if (!held) return std::nullopt;
  return take(x, std::move(*held));
}

net::Task<bool> reserve_from_store(Exchange& x) {
  Treasury& treasury = x.worker.services().treasury;
  co_return take(x, co_await treasury.reserve(draws(x), x.snapshot->accounts, x.time));
}

}  // namespace

net::Step<bool> reserve(Exchange& x) {
  if (!price(x)) return false;
  if (x.spend.count == 0) return true;
  if (const auto done = reserve_from_memory(x)) return *done;
  return reserve_from_store(x);
}

}  // namespace reeve
