// Spans of the source are replaced, nothing is written anew. Tested by
// tests/proxy/stdio_routes_test.cc.
#include "proxy/stdio/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace reeve::stdio {
namespace {

constexpr size_t kMostQuestions = 1024;
constexpr std::string_view kSubscription = "io.modelcontextprotocol/subscriptionId";

// Line ends outside of strings are white space, and inside of strings they cannot be.
std::string one_line(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

// `text` with the bytes of `value`, which was read from it, replaced.
std::string with(std::string_view text, const json::Value& value, std::string_view replacement) {
  std::string out;
  out.reserve(text.size() + replacement.size());
  out.append(text.substr(0, value.offset()));
  out.append(replacement);
  out.append(text.substr(value.offset() + value.raw().size()));
  return out;
}

std::optional<json::Value> member(const std::optional<json::Value>& object, std::string_view key) {
  return object && object->is_object() ? object->find(key) : std::nullopt;
}

std::string canonical(const json::Value& value) {
  std::string text;
  json::append_canonical(text, value);
  return text;
}

std::optional<Routes::Number> number_of(const json::Value& value) {
  const std::string_view raw = value.raw();
  Routes::Number number = 0;
  const auto [end, ec] = std::from_chars(raw.data(), raw.data() + raw.size(), number);
  if (ec != std::errc{} || end != raw.data() + raw.size()) return std::nullopt;
  return number;
}

}  // namespace

Routes::Asked Routes::ask(const mcp::Message& message, std::string_view body) {
  const Number number = ++last_;
  Pending pending{std::string(message.id), {}};
  const auto token = member(member(message.params, "_meta"), "progressToken");
  if (token) pending.token = canonical(*token);
  pending_.emplace(number, std::move(pending));
  return {number, one_line(with(body, *message.id_value, std::to_string(number)))};
}

std::optional<std::string> Routes::tell(const mcp::Message& message, std::string_view body) {
  const auto cancelled = message.method == "notifications/cancelled"
                             ? member(message.params, "requestId")
                             : std::nullopt;
  if (message.method != "notifications/cancelled") return one_line(std::string(body));
  if (!cancelled) return std::nullopt;
  const std::string id = mcp::id_key(*cancelled);
  for (const auto& [number, pending] : pending_) {
    const auto asked = parser_.parse(pending.id);
    if (!asked || mcp::id_key(*asked) != id) continue;
    return one_line(with(body, *cancelled, std::to_string(number)));
  }
  return std::nullopt;
}

std::optional<std::string> Routes::answer(const mcp::Message& message, std::string_view body) {
  if (questions_.erase(mcp::id_key(*message.id_value)) == 0) return std::nullopt;
  return one_line(std::string(body));
}

std::string Routes::cancellation(Number number) {
  return fmt::format(
      R"({{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{}}}}})",
      number);
}

std::string Routes::decline(std::string_view question) {
  const auto root = parser_.parse(question);
  const auto id = member(root, "id");
  if (!id) return {};
  questions_.erase(mcp::id_key(*id));
  return fmt::format(
      R"({{"jsonrpc":"2.0","id":{},"error":{{"code":-32603,"message":"no client listens"}}}})",
      id->raw());
}

Routes::Routed Routes::route(std::string_view line) {
  Routed to;
  const auto root = parser_.parse(line);
  if (!root || !root->is_object()) return to;
  const auto id = root->find("id");
  const auto method = root->find("method");
  if (!method) {
    // An error about a message that could not be read has no id, and nobody waits for it.
    if (!id || id->is_null()) {
      to.to = To::kNobody;
    } else if (!route_response(*id, line, to)) {
      to.to = To::kInvalid;
    }
    return to;
  }
  if (id) {
    const std::string key = mcp::id_key(*id);
    if (key.empty()) return to;
    if (questions_.size() >= kMostQuestions) return to;
    questions_.insert(key);
    to.question = true;
    to.to = To::kStanding;
    to.message = line;
    return to;
  }
  to.to = To::kStanding;
  to.message = line;
  if (const auto params = root->find("params"); params && params->is_object()) {
    route_notification(*params, line, to);
  }
  return to;
}

bool Routes::route_response(const json::Value& id, std::string_view line, Routed& to) {
  const auto number = number_of(id);
  const auto found = number ? pending_.find(*number) : pending_.end();
  if (found == pending_.end()) {
    to.to = To::kNobody;
    return number.has_value();
  }
  to.to = To::kRequest;
  to.number = *number;
  to.last = true;
  // The end of a subscription names itself by its request's id once more.
  const auto root = parser_.parse(line);
  const auto tag = member(member(root->find("result"), "_meta"), kSubscription);
  if (tag && number_of(*tag) == *number) {
    // The later span first, so that the earlier keeps its place.
    const auto own = root->find("id");
    const bool tag_later = tag->offset() > own->offset();
    const std::string half = with(line, tag_later ? *tag : *own, found->second.id);
    to.message = with(half, tag_later ? *own : *tag, found->second.id);
  } else {
    to.message = with(line, *root->find("id"), found->second.id);
  }
  pending_.erase(found);
  return true;
}

void Routes::route_notification(const json::Value& params, std::string_view line, Routed& to) {
  if (route_subscription(params, line, to)) return;
  const auto token = params.find("progressToken");
  if (!token) return;
  const std::string wanted = canonical(*token);
  for (const auto& [number, pending] : pending_) {
    if (pending.token != wanted) continue;
    to.to = To::kRequest;
    to.number = number;
    return;
  }
  to.to = To::kNobody;  // progress of what is over
}

bool Routes::route_subscription(const json::Value& params, std::string_view line, Routed& to) {
  const auto tag = member(params.find("_meta"), kSubscription);
  if (!tag) return false;
  const auto number = number_of(*tag);
  const auto found = number ? pending_.find(*number) : pending_.end();
  if (found == pending_.end()) {
    to.to = To::kNobody;
    return true;
  }
  to.to = To::kRequest;
  to.number = *number;
  to.message = with(line, *tag, found->second.id);
  return true;
}

}  // namespace reeve::stdio
