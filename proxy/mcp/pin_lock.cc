// See pin_lock.h. Tested by tests/proxy/pin_test.cc.
#include "proxy/mcp/pin_lock.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/text.h"
#include "proxy/config.h"
#include "proxy/ids.h"
#include "proxy/mcp/pin_text.h"

namespace reeve::mcp {

namespace {

constexpr std::string_view kPartNames[kPinParts] = {"title", "description", "inputSchema",
                                                    "outputSchema", "annotations"};
// Those whose value is a text; the others are objects.
constexpr bool kIsText[kPinParts] = {true, true, false, false, false};

std::string digest_of(const PinnedTool& tool) {
  std::string text = "{\"name\":";
  json::append_string(text, tool.name);
  for (size_t i = 0; i < kPinParts; ++i) {
    if (!tool.parts[i].empty()) text += fmt::format(",\"{}\":{}", kPartNames[i], tool.parts[i]);
  }
  text += "}";
  json::Parser parser;
  std::string canonical;
  json::append_canonical(canonical, *parser.parse(text));
  const policy::Sha256 hash = sha256(canonical);
  std::string hex;
  append_hex(hex, hash.data(), hash.size());
  return hex;
}

// A value as people read it: two spaces a level, one member a line.
void append_pretty(std::string& out, const json::Value& value, size_t indent) {
  const std::string inner(indent + 2, ' ');
  std::string scratch;
  if (value.is_string()) return append_visible(out, value.text(scratch));
  if ((!value.is_object() && !value.is_array()) || value.size() == 0) {
    out += value.raw();
    return;
  }
  out += value.is_object() ? "{" : "[";
  const char* separator = "\n";
  for (const json::Member member : value.members()) {
    out += separator + inner;
    append_visible(out, member.key.text(scratch));
    out += ": ";
    append_pretty(out, member.value, indent + 2);
    separator = ",\n";
  }
  for (const json::Value item : value.items()) {
    out += separator + inner;
    append_pretty(out, item, indent + 2);
    separator = ",\n";
  }
  out += "\n" + std::string(indent, ' ') + (value.is_object() ? "}" : "]");
}

void append_pretty(std::string& out, const std::string& canonical, size_t indent) {
  json::Parser parser;
  append_pretty(out, *parser.parse(canonical), indent);
}

class LockReader {
 public:
  LockReader(const policy::SourceFile& source, Diagnostics& diagnostics)
      : source_(source), diagnostics_(diagnostics) {}

  std::optional<PinLock> read() {
    const auto root = parser_.parse(source_.text);
    if (!root || !root->is_object()) {
      error(root ? 0 : parser_.error().offset,
            fmt::format("a lock is one JSON object, as `reeve pin` writes it{}{}", root ? "" : "; ",
                        root ? "" : parser_.error().what));
      return std::nullopt;
    }
    PinLock lock;
    check_keys(*root, {"version", "upstream", "server", "instructions", "tools"});
    const auto version = root->find("version");
    if (!version || version->raw() != "1") {
      error(version ? version->offset() : 0,
            "`version` must be 1; write the lock anew with `reeve pin`");
    }
    lock.upstream = text_at(*root, "upstream", true);
    lock.server = text_at(*root, "server", false);
    if (const auto value = root->find("instructions")) {
      if (!value->is_string()) error(value->offset(), "`instructions` must be a text");
      json::append_canonical(lock.instructions, *value);
    }
    const auto tools = root->find("tools");
    if (!tools || !tools->is_array()) {
      error(tools ? tools->offset() : 0, "`tools` must be a list, maybe an empty one");
      return std::nullopt;
    }
    for (const json::Value entry : tools->items()) read_tool(entry, lock);
    if (failed_) return std::nullopt;
    return lock;
  }

 private:
  void error(size_t offset, std::string message) {
    failed_ = true;
    const std::string_view before = std::string_view(source_.text).substr(0, offset);
    const auto line = static_cast<uint32_t>(std::count(before.begin(), before.end(), '\n') + 1);
    const size_t start = before.rfind('\n');
    const size_t column = start == before.npos ? offset + 1 : offset - start;
    diagnostics_.error({source_.name, line, static_cast<uint32_t>(column)}, std::move(message));
  }

  void check_keys(const json::Value& object, std::initializer_list<std::string_view> known) {
    std::string scratch;
    for (const json::Member member : object.members()) {
      const std::string_view key = member.key.text(scratch);
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      error(member.key.offset(), fmt::format("unknown key `{}`; write the lock anew with `reeve "
                                             "pin`",
                                             policy::shown(key)));
    }
  }

  std::string text_at(const json::Value& object, std::string_view key, bool required) {
    const auto value = object.find(key);
    std::string scratch;
    if (value && value->is_string()) return std::string(value->text(scratch));
    if (value || required) {
      error((value ? *value : object).offset(), fmt::format("`{}` must be a text", key));
    }
    return {};
  }

  void read_tool(const json::Value& entry, PinLock& lock) {
    const auto tool = pin_tool(entry);
    if (!tool) return error(entry.offset(), tool.error().message);
    check_keys(entry, {"name", "digest", kPartNames[0], kPartNames[1], kPartNames[2], kPartNames[3],
                       kPartNames[4]});
    const std::string digest = text_at(entry, "digest", true);
    if (!digest.empty() && digest != tool->digest) {
      error(entry.find("digest")->offset(),
            fmt::format("the digest of `{}` is not that of what stands here; write the lock anew "
                        "with `reeve pin`",
                        policy::shown(tool->name)));
    }
    if (!lock.tools.empty() && lock.tools.back().name >= tool->name) {
      error(entry.offset(), fmt::format("`{}` stands here twice, or out of order; tools are sorted "
                                        "by name",
                                        policy::shown(tool->name)));
    }
    lock.tools.push_back(*tool);
  }

  const policy::SourceFile& source_;
  Diagnostics& diagnostics_;
  json::Parser parser_;
  bool failed_ = false;
};

}  // namespace

std::string_view to_string(PinPart part) { return kPartNames[static_cast<size_t>(part)]; }

Result<PinnedTool> pin_tool(const json::Value& tool) {
  if (!tool.is_object()) return Error{"a tool that is no object"};
  const auto name = tool.find("name");
  if (!name || !name->is_string() || name->equals("")) return Error{"a tool without a name"};
  std::string scratch;
  PinnedTool pinned;
  pinned.name = name->text(scratch);
  if (tool.has_case_variant("name")) {
    return Error{fmt::format("tool `{}` has two keys that differ from `name` by case at most",
                             policy::shown(pinned.name))};
  }
  for (size_t i = 0; i < kPinParts; ++i) {
    if (tool.has_case_variant(kPartNames[i])) {
      return Error{fmt::format("tool `{}` has a key that differs from `{}` by case alone",
                               policy::shown(pinned.name), kPartNames[i])};
    }
    const auto value = tool.find(kPartNames[i]);
    if (!value || value->is_null()) continue;
    if (kIsText[i] ? !value->is_string() : !value->is_object()) {
      return Error{fmt::format("tool `{}`: `{}` is no {}", policy::shown(pinned.name),
                               kPartNames[i], kIsText[i] ? "text" : "object")};
    }
    json::append_canonical(pinned.parts[i], *value);
  }
  pinned.digest = digest_of(pinned);
  return pinned;
}

const PinnedTool* PinLock::find(std::string_view name) const {
  const auto found = std::lower_bound(
      tools.begin(), tools.end(), name,
      [](const PinnedTool& tool, std::string_view wanted) { return tool.name < wanted; });
  return found != tools.end() && found->name == name ? &*found : nullptr;
}

std::string write_lock(const PinLock& lock) {
  std::string out = "{\n  \"version\": 1,\n  \"upstream\": ";
  append_visible(out, lock.upstream);
  out += ",\n  \"server\": ";
  append_visible(out, lock.server);
  if (!lock.instructions.empty()) {
    out += ",\n  \"instructions\": ";
    append_pretty(out, lock.instructions, 2);
  }
  out += ",\n  \"tools\": [";
  const char* separator = "\n";
  for (const PinnedTool& tool : lock.tools) {
    out += separator;
    out += "    {\n      \"name\": ";
    append_visible(out, tool.name);
    out += fmt::format(",\n      \"digest\": \"{}\"", tool.digest);
    for (size_t i = 0; i < kPinParts; ++i) {
      if (tool.parts[i].empty()) continue;
      out += fmt::format(",\n      \"{}\": ", kPartNames[i]);
      append_pretty(out, tool.parts[i], 6);
    }
    out += "\n    }";
    separator = ",\n";
  }
  out += lock.tools.empty() ? "]\n}\n" : "\n  ]\n}\n";
  return out;
}

std::optional<PinLock> read_lock(const policy::SourceFile& source, Diagnostics& diagnostics) {
  return LockReader(source, diagnostics).read();
}

}  // namespace reeve::mcp
