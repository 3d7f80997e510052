// Finds the lists in an upstream's message and cuts out the entries that an agent may not see.
//
// The message is read by the strict parser; what stays is copied from the source bytes in spans, so
// numbers, escapes and white space of everything kept arrive as sent.
#include "proxy/mcp/list_filter.h"

#include <algorithm>
#include <optional>

namespace reeve::mcp {
namespace {

struct ListKind {
  List list;
  std::string_view method;
  std::string_view member;  // of the result
  std::string_view name;    // of an entry
};

constexpr ListKind kLists[] = {
    {List::kTools, "tools/list", "tools", "name"},
    {List::kResources, "resources/list", "resources", "uri"},
    {List::kResourceTemplates, "resources/templates/list", "resourceTemplates", "uriTemplate"},
    {List::kPrompts, "prompts/list", "prompts", "name"},
    {List::kTasks, "tasks/list", "tasks", "taskId"}};

// Copies a message but for the spans that are replaced, which come in ascending order.
class Splice {
 public:
  Splice(std::string_view source, std::string& out) : source_(source), out_(out) {}

  void replace(size_t begin, size_t end, std::string_view with) {
    if (!changed_) out_.clear();
    changed_ = true;
    out_.append(source_, copied_, begin - copied_).append(with);
    copied_ = end;
  }
  bool finish() {
    if (changed_) out_.append(source_, copied_);
    return changed_;
  }

 private:
  std::string_view source_;
  std::string& out_;
  size_t copied_ = 0;  // where the bytes not yet copied begin
  bool changed_ = false;
};

enum class Entry : uint8_t { kVisible, kHidden, kNameless };

struct Lookers {
  const Visible& visible;
  Onlooker* onlooker;
};

Entry judge(const ListKind& kind, const json::Value& entry, const Lookers& lookers,
            std::string& scratch) {
  const auto name = entry.find(kind.name);
  if (!name || !name->is_string()) return Entry::kNameless;
  const std::string_view text = name->text(scratch);
  const bool kept = !lookers.onlooker || lookers.onlooker->keeps(kind.list, text, entry);
  // A reader that ignores case would see another name than the one judged here.
  if (entry.has_case_variant(kind.name)) return Entry::kHidden;
  return kept && lookers.visible(kind.list, text) ? Entry::kVisible : Entry::kHidden;
}

// Takes the hidden entries of one list out. A hidden entry goes with the comma before it; the first
// one kept goes without.
bool filter_list(const ListKind& kind, const json::Value& array, bool nameless_allowed,
                 const Lookers& lookers, Splice& splice) {
  std::string scratch;
  size_t previous_end = array.offset() + 1;
  bool kept_any = false;
  for (const json::Value entry : array.items()) {
    const size_t begin = entry.offset();
    const size_t end = begin + entry.raw().size();
    const Entry verdict = judge(kind, entry, lookers, scratch);
    if (verdict == Entry::kNameless && !nameless_allowed) return false;
    if (verdict == Entry::kHidden) {
      splice.replace(previous_end, end, "");
    } else {
      const bool first_entry = previous_end == array.offset() + 1;
      if (!kept_any && !first_entry) splice.replace(previous_end, begin, "");
      kept_any = true;
    }
    previous_end = end;
  }
  return true;
}

// A cache may give what is marked public to another agent; without a scope it counts as public.
void make_private(const json::Value& result, bool has_scope, Splice& splice) {
  if (has_scope || !result.find("ttlMs")) return;
  const size_t last = result.offset() + result.raw().size() - 1;
  splice.replace(last, last, ",\"cacheScope\":\"private\"");
}

// Whether a key is another's but for case: some readers would find a list there.
bool has_ambiguous_member(const json::Value& result) {
  return std::ranges::any_of(
             kLists, [&](const ListKind& kind) { return result.has_case_variant(kind.member); }) ||
         result.has_case_variant("cacheScope");
}

bool has_list(const json::Value& result) {
  return std::ranges::any_of(kLists, [&](const ListKind& kind) {
    const auto list = result.find(kind.member);
    return list && list->is_array();
  });
}

bool filter_result(const json::Value& result, const Lookers& lookers, Splice& splice) {
  const auto content = result.find("content");
  const bool tool_result = content && content->is_array();
  const bool is_list = has_list(result);
  Onlooker* const onlooker = lookers.onlooker;
  if (has_ambiguous_member(result)) return false;
  if (onlooker && result.has_case_variant("instructions")) return false;
  if (!is_list && !(onlooker && result.find("instructions"))) return true;
  if (onlooker) onlooker->sees_result(result);
  bool has_scope = false;
  std::string scratch;
  for (const json::Member member : result.members()) {
    const std::string_view key = member.key.text(scratch);
    if (is_list && key == "cacheScope") {
      has_scope = true;
      if (!member.value.equals("private")) {
        const size_t begin = member.value.offset();
        splice.replace(begin, begin + member.value.raw().size(), "\"private\"");
      }
    }
    if (onlooker && key == "instructions" && !onlooker->keeps_instructions(member.value)) {
      const size_t begin = member.value.offset();
      splice.replace(begin, begin + member.value.raw().size(), "\"\"");
    }
    const auto* kind = std::ranges::find(kLists, key, &ListKind::member);
    if (kind == std::end(kLists) || !member.value.is_array()) continue;
    if (!filter_list(*kind, member.value, tool_result, lookers, splice)) return false;
  }
  if (is_list) make_private(result, has_scope, splice);
  return true;
}

}  // namespace

bool list_of_method(std::string_view method, List& list) {
  const auto* kind = std::ranges::find(kLists, method, &ListKind::method);
  if (kind == std::end(kLists)) return false;
  list = kind->list;
  return true;
}

Filtered filter_message(json::Parser& parser, std::string_view message, const Visible& visible,
                        std::string& out, Onlooker* onlooker) {
  const auto root = parser.parse(message);
  if (!root || !root->is_object()) return Filtered::kInvalid;
  return filter_message(*root, message, visible, out, onlooker);
}

Filtered filter_message(const json::Value& root, std::string_view message, const Visible& visible,
                        std::string& out, Onlooker* onlooker) {
  if (root.has_case_variant("result")) return Filtered::kInvalid;
  Splice splice(message, out);
  const Lookers lookers{visible, onlooker};
  const auto result = root.find("result");
  const bool whole = result && result->is_object();
  const auto task = whole ? result : root.find("params");
  const auto came_to = task && task->is_object() ? task->find("result") : std::nullopt;
  if (came_to && came_to->is_object()) {
    // One of them is a list, not both: their edits would not come in order.
    if (whole && has_list(*result)) return Filtered::kInvalid;
    if (!filter_result(*came_to, lookers, splice)) return Filtered::kInvalid;
  } else if (whole && !filter_result(*result, lookers, splice)) {
    return Filtered::kInvalid;
  }
  return splice.finish() ? Filtered::kChanged : Filtered::kUnchanged;
}

}  // namespace reeve::mcp
