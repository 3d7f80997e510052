// Guards at work: what a call's arguments, or its result, hold that they look for, and the text
// that goes on in its place.
//
// Every string, key and number is looked at, unescaped; a string that is itself JSON is read as
// such, to four levels. Places are found from the root of the value, from the root of such a
// string, and in tables (guard_table.h). What is redacted is replaced where it stands: every other
// byte of the text stays as it is. What cannot be examined is in doubt, and must be refused.
//
// Pure; time and memory are linear in the text and bounded. Tested by tests/policy/guard_test.cc,
// guard_labels_test.cc and tests/fuzz/guard_fuzz.cc.
#ifndef REEVE_POLICY_GUARD_H_
#define REEVE_POLICY_GUARD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/guard_fold.h"
#include "policy/guard_program.h"
#include "policy/guard_text.h"
#include "policy/json.h"
#include "policy/obligation.h"

namespace reeve::policy {

// What one guard found by one of its finders (its name), or at one of its places (as written).
struct GuardHit {
  const GuardInfo* guard = nullptr;
  std::string_view what;
  uint32_t count = 0;
};

struct GuardReport {
  // The strongest that must be done; kDoubt is to be refused as kDeny is.
  enum class Outcome : uint8_t { kClean, kRedact, kAsk, kDeny, kDoubt };
  Outcome outcome = Outcome::kClean;
  bool redacted = false;               // what must be sent instead was written, also with kAsk
  const GuardInfo* guard = nullptr;    // the first, in the policy's order, that decided
  std::vector<const GuardInfo*> asks;  // every guard that asks and found something
  std::vector<GuardHit> hits;
  const char* doubt = "";  // static: why, for kDoubt
};

class GuardExaminer {
 public:
  enum class Side : uint8_t { kArguments, kResult };
  // Where places begin besides the root: in an MCP result also at `structuredContent`. There, too,
  // what the protocol alone reads (`nextCursor`, `taskId`, …) is not looked at: it must come back
  // byte for byte.
  enum class Root : uint8_t { kValue, kMcpResult };

  GuardExaminer();
  ~GuardExaminer();
  GuardExaminer(const GuardExaminer&) = delete;
  GuardExaminer& operator=(const GuardExaminer&) = delete;

  // Which guards are at work (PolicySet::guards()), on which side; those of the other side are left
  // out. They must outlive the use of this. Allocates a little; keeps capacity.
  void use(std::span<const GuardInfo* const> guards, Side side);
  bool is_idle() const { return guards_.empty(); }
  bool has_places() const { return !places_.empty(); }

  // Examines a value of a parsed text. With `redacted`, `out` has what replaces value.raw().
  // `also_root`: the offset of a value within, where places begin as well (a dispatch tool's inner
  // arguments).
  GuardReport examine(const json::Value& value, Root root, std::string& out,
                      std::optional<size_t> also_root = std::nullopt);
  // A text that stands alone: a body that is not JSON, or one that is. `label` is what it is
  // called.
  GuardReport examine_text(std::string_view text, std::string_view label, std::string& out);

  static constexpr unsigned kNestedMost = 4;              // JSON within strings of JSON
  static constexpr size_t kWorkMost = size_t{256} << 20;  // bytes looked at, by all finders

 private:
  friend class GuardTextStream;
  struct State {  // of a place on the way to a value
    uint16_t place;
    uint16_t step;
  };
  struct Range {
    size_t begin;
    size_t end;
  };
  struct Span {  // to be redacted, in a text
    size_t begin;
    size_t end;
    std::string_view what;
  };
  struct Edit {  // in a document's source
    size_t begin;
    size_t end;
    std::string text;
  };
  struct Document {
    size_t base = 0;  // the offset at which its source begins
    std::vector<Edit> edits;
    unsigned depth = 0;
    bool mcp_result = false;
    std::optional<size_t> also_root;
  };
  struct Place {
    const GuardInfo* guard;
    const ValueRef* ref;
  };
  struct Custom {
    const GuardInfo* guard;
    const GuardExpression* expression;
  };
  void begin();
  GuardReport finish();
  void doubt(const char* why);
  bool in_doubt() const { return report_.doubt[0] != '\0'; }
  // Whether what was found is to be redacted.
  bool hit(const GuardInfo& guard, std::string_view what);
  bool hit_kind(GuardKind kind);

  void visit(const json::Value& value, Range states, std::string_view label, Document& document);
  void visit_object(const json::Value& value, Range states, Document& document);
  void visit_array(const json::Value& value, Range states, std::string_view label,
                   Document& document);
  void visit_rows(const json::Value& rows, const std::vector<std::string>& columns, Range states,
                  Document& document);
  void visit_cells(const json::Value& row, const std::vector<std::string>& columns, Range states,
                   Document& document);
  void visit_string(const json::Value& value, std::string_view label, Document& document);
  void visit_number(const json::Value& value, std::string_view label, Document& document);
  void visit_key(const json::Value& key, Document& document);
  bool visit_place(const json::Value& value, Range states, std::string_view label,
                   Document& document);
  Range advance(Range states, std::string_view key, const size_t* index);
  Range add_roots(Range states);
  bool has_variants(const json::Value& object, Range states) const;
  // The columns of a table in `object`, if a place may lead to one of them.
  bool find_columns(const json::Value& object, std::vector<std::string>& columns);
  bool names_place(std::string_view column);

  void find_in_text(std::string_view text, std::string_view label, unsigned depth,
                    std::vector<Edit>& edits);
  // Whether `text` is JSON; edits are in its coordinates.
  bool find_in_json(std::string_view text, std::string_view label, unsigned depth,
                    std::vector<Edit>& edits);
  void find_in_table(std::string_view text, std::vector<Edit>& edits);
  // The spans of `text` to be redacted, ascending and apart, in spans_.
  void scan(std::string_view text, std::string_view label, GuardKinds kinds);
  bool find_matches(std::string_view text, std::string_view label, GuardKinds kinds);
  void find_custom(std::string_view text, uint32_t index);
  void record(const TextMatch& match);
  void merge_spans();
  void edit_string(const json::Value& value, const std::vector<Edit>& edits, Document& document);
  static void merge(std::vector<Edit>& edits);
  static void apply(std::string_view source, const std::vector<Edit>& edits, std::string& out);

  std::vector<const GuardInfo*> guards_;
  GuardKinds kinds_ = 0;
  std::vector<Custom> customs_;
  std::vector<Place> places_;

  GuardReport report_;
  size_t work_ = 0;
  uint32_t key_marks_ = 0;
  std::vector<State> states_;
  std::vector<TextMatch> matches_;
  std::vector<Span> spans_;
  FoldedText folded_;
  TextScanner scanner_;
  std::vector<std::unique_ptr<json::Parser>> parsers_;  // by depth
  json::Parser again_;
};

// What stands in the place of what was found.
std::string redaction_mark(std::string_view what);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_GUARD_H_
