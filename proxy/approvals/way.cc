// Tested by tests/e2e/approval_test.mjs and approval_mcp_test.mjs.
#include "proxy/approvals/way.h"

#include <algorithm>
#include <charconv>

#include "proxy/worker.h"

namespace reeve::approvals {
namespace {

// Of a plain HTTP call: what it holds must not be charged as forgotten (Treasury::Pace::ttl).
constexpr std::chrono::milliseconds kLongestHold = std::chrono::hours(12);

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// RFC 7240: `Prefer: respond-async, wait=10`.
struct Preferences {
  bool respond_async = false;
  std::chrono::seconds wait{0};
};

Preferences preferences_of(const http::Fields& fields) {
  Preferences found;
  for (const http::Field& field : fields.list) {
    if (!http::iequals(field.name, "prefer")) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      const size_t comma = std::min(rest.find(','), rest.size());
      std::string_view one = trimmed(rest.substr(0, comma));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      one = trimmed(one.substr(0, one.find(';')));
      if (http::iequals(one, "respond-async")) found.respond_async = true;
      if (one.size() > 5 && http::iequals(one.substr(0, 5), "wait=")) {
        uint32_t seconds = 0;
        std::from_chars(one.data() + 5, one.data() + one.size(), seconds);
        found.wait = std::chrono::seconds(seconds);
      }
    }
  }
  return found;
}

}  // namespace

Way way_of(const Exchange& x) {
  if (x.message == nullptr) {
    const bool async = !x.head.connect && preferences_of(x.head.fields).respond_async;
    return async ? Way::kHttpAsync : Way::kHttp;
  }
  return x.message->era == mcp::Era::kModern ? Way::kModern : Way::kLegacy;
}

std::chrono::milliseconds longest_wait(const Exchange& x) {
  using std::chrono::milliseconds;
  const ApprovalsConfig& config = x.worker.services().config.approvals;
  // The question's own end comes first, by the desk; a moment more, so that it does.
  const auto left = std::chrono::ceil<milliseconds>(x.asked->record.expires - wall_now());
  const milliseconds most =
      std::clamp(left + std::chrono::seconds(5), milliseconds(0), kLongestHold);
  switch (x.asked->way) {
    case Way::kHttp:
      return most;
    case Way::kHttpAsync:
      return std::min<milliseconds>(most, preferences_of(x.head.fields).wait);
    case Way::kLegacy:
      return std::min(most, progress_token(x) ? config.hold_max_progress : config.hold_max);
    case Way::kModern:
      return std::min(most, config.leg);
  }
  return milliseconds(0);
}

bool may_open_events(const Exchange& x) {
  if (x.message == nullptr || x.message->shape != mcp::Shape::kRequest) return false;
  if (x.head.minor_version == 0) return false;  // without chunks its end could not be told
  for (const http::Field& field : x.head.fields.list) {
    if (http::iequals(field.name, "accept") &&
        field.value.find("text/event-stream") != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

std::optional<json::Value> progress_token(const Exchange& x) {
  if (x.message == nullptr || !x.message->params || !x.message->params->is_object()) return {};
  const auto meta = x.message->params->find("_meta");
  if (!meta || !meta->is_object()) return {};
  const auto token = meta->find("progressToken");
  if (!token || (!token->is_string() && !token->is_number())) return {};
  return token;
}

}  // namespace reeve::approvals
