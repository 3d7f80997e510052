// Tested by tests/proxy/join_merge_test.cc.
#include "proxy/join/merge.h"

#include <fmt/format.h>

#include <set>

#include "proxy/join/edits.h"
#include "proxy/join/names.h"
#include "proxy/join/translate.h"

namespace reeve::join {
namespace {

constexpr size_t kMostCursors = 1024;

struct Shape {
  std::string_view member;
  std::string_view name;
  bool uri;
};

Shape shape_of(mcp::List list) {
  switch (list) {
    case mcp::List::kTools:
      return {"tools", "name", false};
    case mcp::List::kPrompts:
      return {"prompts", "name", false};
    case mcp::List::kResources:
      return {"resources", "uri", true};
    case mcp::List::kResourceTemplates:
      return {"resourceTemplates", "uriTemplate", true};
    case mcp::List::kTasks:
      break;  // nothing that is joined
  }
  return {};
}

void append_entry(std::string& out, const json::Value& entry, const json::Value& name,
                  std::string_view joined) {
  const std::string_view raw = entry.raw();
  const size_t begin = name.offset() - entry.offset();
  if (out.back() != '[') out += ',';
  out.append(raw.substr(0, begin));
  json::append_string(out, joined);
  out.append(raw.substr(begin + name.raw().size()));
}

bool has(const std::optional<json::Value>& object, std::string_view key) {
  const auto value = member(object, key);
  return value && value->type() == json::Type::kTrue;
}

}  // namespace

std::string merge_lists(mcp::List list, std::span<const Said> parts, Cursors& cursors) {
  const Shape shape = shape_of(list);
  std::string out = fmt::format("\"{}\":[", shape.member);
  json::Parser parser;
  for (const Said& part : parts) {
    const auto root = part.message.empty() ? std::nullopt : parser.parse(part.message);
    const auto result = member(root, "result");
    const auto entries = member(result, shape.member);
    if (!entries || !entries->is_array()) continue;
    std::set<std::string> seen;
    for (const json::Value entry : entries->items()) {
      const auto name = member(entry, shape.name);
      if (!name || !name->is_string()) continue;
      const std::string own = text_of(name);
      if (own.empty() || !seen.insert(own).second) continue;
      const std::string joined =
          shape.uri ? join_uri(part.upstream, own) : join_name(part.upstream, own);
      if (joined.size() > (shape.uri ? kLongestUri : kLongestName)) continue;
      append_entry(out, entry, *name, joined);
    }
    const auto next = member(result, "nextCursor");
    if (next && next->is_string()) cursors.emplace_back(part.upstream, text_of(next));
  }
  return out + "]";
}

std::string write_cursors(const Cursors& cursors) {
  std::string out = "[";
  for (const auto& [upstream, cursor] : cursors) {
    if (out.size() > 1) out += ',';
    json::append_string(out, upstream);
    out += ',';
    json::append_string(out, cursor);
  }
  return out + "]";
}

std::optional<Cursors> read_cursors(std::string_view text) {
  json::Parser parser;
  const auto root = parser.parse(text);
  if (!root || !root->is_array() || root->size() > 2 * kMostCursors) return std::nullopt;
  Cursors cursors;
  bool upstream = true;
  for (const json::Value each : root->items()) {
    if (!each.is_string()) return std::nullopt;
    if (upstream) {
      cursors.emplace_back(text_of(each), "");
    } else {
      cursors.back().second = text_of(each);
    }
    upstream = !upstream;
  }
  if (!upstream || cursors.empty()) return std::nullopt;
  return cursors;
}

std::string merge_capabilities(std::span<const Introduction> parts, mcp::Era era) {
  bool prompts = false, resources = false, subscribe = false, logging = false, completions = false;
  json::Parser parser;
  for (const Introduction& part : parts) {
    const auto root = parser.parse(part.capabilities);
    prompts = prompts || member(root, "prompts");
    resources = resources || member(root, "resources");
    subscribe = subscribe || has(member(root, "resources"), "subscribe");
    logging = logging || member(root, "logging");
    completions = completions || member(root, "completions");
  }
  // A server that is away now may have tools when it comes back.
  std::string out = R"({"tools":{"listChanged":true})";
  if (prompts) out += R"(,"prompts":{"listChanged":true})";
  if (resources) {
    out += R"(,"resources":{"listChanged":true)";
    if (subscribe) out += R"(,"subscribe":true)";
    out += '}';
  }
  if (logging && era == mcp::Era::kLegacy) out += R"(,"logging":{})";
  if (completions) out += R"(,"completions":{})";
  return out + "}";
}

std::string merge_instructions(std::span<const Introduction> parts) {
  std::string out;
  for (const Introduction& part : parts) {
    if (part.instructions.empty()) continue;
    if (!out.empty()) out += "\n\n";
    out += fmt::format("Server `{}` (names that begin with `{}`):\n{}", part.upstream,
                       join_name(part.upstream, ""), part.instructions);
  }
  return out;
}

std::string first_error(std::span<const Said> parts, std::string_view id) {
  json::Parser parser;
  for (const Said& part : parts) {
    const auto root = part.message.empty() ? std::nullopt : parser.parse(part.message);
    const auto error = member(root, "error");
    if (error && error->is_object()) {
      return fmt::format(R"({{"jsonrpc":"2.0","id":{},"error":{}}})", id, error->raw());
    }
  }
  return {};
}

}  // namespace reeve::join
