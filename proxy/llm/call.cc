// See call.h. Tested end to end by tests/e2e/llm_*_test.mjs.
#include "proxy/llm/call.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/json_body.h"
#include "proxy/body.h"
#include "proxy/llm/metered.h"
#include "proxy/worker.h"

namespace reeve::llm {
namespace {

bool is_metered(const Exchange& x) {
  return x.upstream != nullptr && x.upstream->config().meter != Meter::kNone;
}

Endpoint endpoint_of_call(const Exchange& x) {
  return endpoint_of(x.head.method, x.upstream->config().base_path + x.path.match);
}

std::optional<json::Value> parse(Exchange& x) {
  auto root = x.connection.work->json.parse(x.connection.work->body);
  if (!root) {
    x.refuse(400, "malformed",
             fmt::format("the body is no strict JSON: {}", x.connection.work->json.error().what));
  }
  return root;
}

bool refuse(Exchange& x, const RequestFault& fault) {
  return x.refuse(fault.status, "malformed", fault.detail);
}

// `YYYY-MM-DD` or `YYYYMMDD`.
bool is_date(std::string_view text) {
  const bool dashes = text.size() == 10 && text[4] == '-' && text[7] == '-';
  if (!dashes && text.size() != 8) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (dashes && (i == 4 || i == 7)) continue;
    if (text[i] < '0' || text[i] > '9') return false;
  }
  return true;
}

// Names without a date, or with `-latest`, stand for one with a date.
bool is_snapshot_of(std::string_view answered, std::string_view asked) {
  constexpr std::string_view kLatest = "-latest";
  if (asked.ends_with(kLatest)) asked.remove_suffix(kLatest.size());
  return answered.size() > asked.size() && answered.starts_with(asked) &&
         answered[asked.size()] == '-' && is_date(answered.substr(asked.size() + 1));
}

using Spent = Result<policy::Spend, const char*>;

// By the model that answered: a fallback may have another price.
Spent price_answer(const Exchange& x, std::string_view model, const policy::TokenUsage& usage) {
  const policy::PolicySet& policy = *x.snapshot->policy;
  policy::Call call = x.call;
  call.tokens = nullptr;
  call.usage = &usage;
  const auto price = [&](std::string_view name) {
    call.target = call.model = name;
    return policy.spend(*x.agent, call);
  };
  const std::string_view asked = x.metered->request().model;
  if (model.empty()) return price(asked);
  Spent spent = price(model);
  const bool named = spent && spent->price && !spent->model_pattern.empty();
  if (!named && is_snapshot_of(model, asked)) return price(asked);
  return spent;
}

}  // namespace

bool is_model_call(const Exchange& x) { return is_metered(x) && names_model(endpoint_of_call(x)); }

net::Task<bool> read_call(Exchange& x) {
  if (!co_await read_body(x)) co_return false;
  const policy::BodyForm form = policy::body_form(x.head.fields.list);
  if (form.kind == policy::BodyForm::Kind::kRefused) {
    co_return x.refuse(415, "malformed", form.fault);
  }
  if (form.kind != policy::BodyForm::Kind::kJson) {
    co_return x.refuse(415, "malformed", "the body must be `Content-Type: application/json`");
  }
  const Endpoint endpoint = endpoint_of_call(x);
  auto root = parse(x);
  if (!root) co_return false;
  auto request = read_request(*root, endpoint, x.connection.work->body.size());
  if (!request) co_return refuse(x, request.error());
  const bool asks = request->stream && !request->asks_for_usage && takes_stream_options(endpoint);
  if (asks) {
    x.connection.work->body = ask_for_usage(x.connection.work->body, *root);
    root = parse(x);
    if (!root) co_return false;
    // What is judged is what will be sent.
    const auto edited = read_request(*root, endpoint, x.connection.work->body.size());
    if (!edited) co_return refuse(x, edited.error());
    if (!edited->asks_for_usage || edited->model != request->model) {
      co_return x.refuse(400, "malformed", "the body has two readings");
    }
  }
  x.args = root;
  std::string& canonical = x.connection.work->line;
  canonical.clear();
  json::append_canonical(canonical, *x.args);
  x.args_sha256 = sha256(canonical);
  x.metered = std::make_shared<Metered>(std::move(*request), asks);
  const Request& read = x.metered->request();
  x.call.upstream = x.upstream->config().name;
  x.call.kind = policy::Kind::kModel;
  x.call.action = x.head.method;
  x.call.target = x.call.model = read.model;
  x.call.args = &*x.args;
  x.call.query = x.head.query;
  x.call.headers = x.head.fields.list;
  x.call.time = x.time;
  x.call.tokens = &read.bounds;
  co_return true;
}

std::string price_fault(const Exchange& x, const policy::Spend& spend) {
  if (x.metered && !x.metered->request().unpriced.empty()) {
    return fmt::format("Denied: {}", x.metered->request().unpriced);
  }
  // Without a price for the endpoint it would be free, whatever it takes.
  if (!is_metered(x) || x.metered || spend.price || endpoint_of_call(x) == Endpoint::kFree) {
    return {};
  }
  return fmt::format(
      "Denied: what {} {} takes is not metered, and no price names it; use an endpoint that is, or "
      "add a price with `http: \"{} {}\"` and `cost`",
      x.head.method, x.path.match, x.head.method, x.path.match);
}

policy::Cost settle(Exchange& x) {
  Metered& metered = *x.metered;
  const Metered::Outcome outcome = metered.outcome();
  Metered::Settled& settled = metered.settled;
  settled.why = outcome.why;
  settled.usage = outcome.usage;
  settled.model = outcome.model;
  x.cost = x.spend.cost;
  policy::Cost cost;
  if (outcome.is_free) {
    cost.tokens = 0;
    if (x.spend.by_tokens) cost.money = x.cost = 0;
    return cost;
  }
  if (!outcome.usage) return cost;
  const policy::TokenUsage& usage = *outcome.usage;
  cost.tokens = static_cast<policy::Micros>(usage.input + usage.output) * policy::kMicrosPerUnit;
  const Spent spent = price_answer(x, outcome.model, usage);
  Label model = kOtherLabel;
  if (!spent) {
    settled.why = Unmeasured::kUnpriced;
  } else {
    cost.money = x.cost = std::min(spent->cost, x.spend.cost);
    settled.overrun = spent->cost - x.cost;
    const auto& labels = x.snapshot->model_labels;
    const auto label = labels.find(spent->model_pattern);
    if (label != labels.end()) model = label->second;
  }
  x.worker.metrics().tokens(x.snapshot->agent_labels[*x.agent], x.upstream_label(), model,
                            usage.input, usage.output);
  return cost;
}

}  // namespace reeve::llm
