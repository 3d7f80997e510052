// What an answer says that its call cost, of any bytes: never less than nothing nor more than the
// reserve, the same wherever it is cut, and nothing of a body that is cut short. The first byte
// says which form and where to cut.
#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>

#include "policy/parse_condition.h"
#include "proxy/mcp/message.h"
#include "proxy/result_cost.h"

namespace {

using reeve::policy::Micros;

constexpr Micros kReserve = 1'000'000;

void require(bool condition) {
  if (!condition) std::abort();
}

const reeve::policy::PriceTerms& terms() {
  static const reeve::policy::PriceTerms made = [] {
    reeve::policy::PriceTerms terms;
    terms.from = reeve::policy::PriceTerms::From::kResult;
    terms.amount = kReserve;
    require(reeve::policy::read_steps("a.0", terms.value));
    return terms;
  }();
  return made;
}

std::optional<Micros> cost_of(std::string_view body, size_t step, bool mcp, bool events,
                              bool whole) {
  std::optional<std::string> id;
  if (mcp) {
    reeve::json::Parser parser;
    id = reeve::mcp::id_key(*parser.parse("7"));
  }
  reeve::ResultCost cost(terms(), std::move(id), 4096);
  reeve::http::ResponseHead head;
  head.fields.list.push_back({"content-type", events ? "text/event-stream" : "application/json"});
  cost.begin(head);
  for (; !body.empty(); body.remove_prefix(std::min(step, body.size()))) {
    cost.take(body.substr(0, step));
  }
  cost.end(whole);
  if (cost.said()) require(*cost.said() >= 0 && *cost.said() <= kReserve);
  return cost.said();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool mcp = (data[0] & 1) != 0, events = (data[0] & 2) != 0;
  const auto whole = cost_of(body, size, mcp, events, true);
  require(whole == cost_of(body, (data[0] >> 2) + size_t{1}, mcp, events, true));
  if (!events) require(!cost_of(body, size, mcp, events, false));
  if (events && !mcp) require(!whole);
  return 0;
}
