// Strict YAML on top of yaml-cpp's events: a scan of the bytes first (yaml_scan.h), then a tree
// built bottom-up.
//
// The tree lies in the document's memory: a list is written there once, when it is complete, and
// an alias is a second handle on it. Readers walk what aliases stand for as if it were written
// out, so anchors and aliases are charged against `alias_bytes` all the same. A node knows its
// height, so that an alias cannot nest deeper than the file may. yaml-cpp reports syntax errors by
// exception; they end here. Nearly all of the time that a file takes is spent in yaml-cpp.
//
// Does not interpret scalars (numbers, dates): that is for whoever knows what the key means.
// Tested by tests/policy/yaml_test.cc and tests/fuzz/yaml_fuzz.cc.
#include "policy/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <memory>
#include <numeric>
#include <streambuf>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "policy/text.h"
#include "policy/yaml_scan.h"

namespace reeve::yaml {

const Node* Node::find(std::string_view key) const {
  for (const Member& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

namespace {

// Sizes stand before texts and lists, so that no two values can run into one form.
void append_form(const Node& node, std::string& out) {
  out += "-\"sSlLmM"[static_cast<size_t>(node.kind) * 2 + node.quoted];
  out += std::to_string(node.text.size() + node.items.size() + node.members.size());
  out += ':';
  out += node.text;
  for (const Node& item : node.items) append_form(item, out);
  for (const Node::Member& member : node.members) {
    out += std::to_string(member.key.size());
    out += ':';
    out += member.key;
    append_form(member.value, out);
  }
}

bool is_plain_word(std::string_view text) {
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("_-./*@ $%+<>=~()\\").find(c) != std::string_view::npos ||
                       static_cast<unsigned char>(c) >= 0x80;
    if (!plain) return false;
  }
  return !text.empty() && text.front() != ' ' && text.back() != ' ';
}

// Whether a scalar of this text would not be text without its quotes.
bool needs_quotes(std::string_view text) {
  for (const std::string_view word :
       {"true", "false", "null", "True", "False", "Null", "TRUE", "FALSE", "NULL", "~"}) {
    if (text == word) return true;
  }
  return std::string_view("*@%>=").find(text.front()) != std::string_view::npos ||
         text.find_first_not_of("0123456789+-.eExX_") == std::string_view::npos;
}

void append_scalar(std::string_view text, bool quoted, std::string& out) {
  if (is_plain_word(text) && !(quoted && needs_quotes(text))) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_flow(const Node& node, std::string& out) {
  switch (node.kind) {
    case Kind::kNull:
      out += "null";
      return;
    case Kind::kScalar:
      return append_scalar(node.text, node.quoted, out);
    case Kind::kSequence:
      out += '[';
      for (size_t i = 0; i < node.items.size(); ++i) {
        if (i > 0) out += ", ";
        append_flow(node.items[i], out);
      }
      out += ']';
      return;
    case Kind::kMapping:
      out += '{';
      for (size_t i = 0; i < node.members.size(); ++i) {
        if (i > 0) out += ", ";
        append_scalar(node.members[i].key, true, out);
        out += ": ";
        append_flow(node.members[i].value, out);
      }
      out += '}';
      return;
  }
}

// Ends the parse from within an event; caught in parse(), never seen outside.
struct Stop {
  Fault fault;
};

// What a node counts for beside its text in `alias_bytes`: about what a reader makes of one.
constexpr size_t kNodeBytes = 96;

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(Document& document, const Limits& limits, Diagnostics& diagnostics)
      : document_(document), limits_(limits), diagnostics_(diagnostics) {}

  const Node& root() const { return root_; }

  // yaml-cpp takes the end of the file for a closing quote; only the last scalar can be cut so.
  void check_last_quote(std::string_view text) const {
    if (last_scalar_.quoted &&
        !is_closed(text.substr(std::min(text.size(), last_scalar_.offset)))) {
      throw Stop{{last_scalar_.mark, "a quote that is never closed; close it"}};
    }
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) {
      fail(to_mark(mark),
           "text after the end of the document; a file holds one document, split it");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Part part;
    part.node.mark = to_mark(mark);
    finish(part, anchor);
  }

  void OnAlias(const YAML::Mark& yaml_mark, YAML::anchor_t anchor) override {
    const Mark mark = to_mark(yaml_mark);
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) {
      fail(mark, "alias to a node that contains it; write the value out");
    }
    Part part = known->second;
    if (stack_.size() + part.height > limits_.depth) fail_depth(mark);
    charge(mark, part.bytes);
    part.node.mark = mark;
    finish(part, 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Part part;
    part.node.kind = Kind::kScalar;
    part.node.quoted = tag == "!";
    part.node.mark = to_mark(mark);
    check_tag(part.node.mark, tag);
    if (value.find('\0') != std::string::npos) {
      fail(part.node.mark, "NUL character in text; remove it");
    }
    part.node.text = String({keep(value.data(), value.size()), value.size()});
    part.bytes += value.size();
    last_scalar_ = {static_cast<size_t>(mark.pos), part.node.mark, part.node.quoted};
    finish(part, anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(to_mark(mark), tag, anchor, Kind::kSequence, items_.size());
  }
  void OnSequenceEnd() override {
    Frame& frame = stack_.back();
    frame.part.node.items = keep_from(items_, frame.begin);
    close();
  }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(to_mark(mark), tag, anchor, Kind::kMapping, members_.size());
  }
  void OnMapEnd() override {
    Frame& frame = stack_.back();
    frame.part.node.members = keep_from(members_, frame.begin);
    report_duplicates(frame.part.node.members);
    close();
  }

 private:
  // A node with what is known of it once it is complete.
  struct Part {
    Node node;
    size_t height = 1;
    size_t bytes = kNodeBytes;
  };
  struct LastScalar {
    size_t offset = 0;
    Mark mark;
    bool quoted = false;
  };
  // A sequence or mapping whose end is to come.
  struct Frame {
    Part part;
    YAML::anchor_t anchor = 0;
    size_t begin = 0;      // of its elements, in items_ or members_
    bool has_key = false;  // of a mapping: the last member waits for its value
  };

  static Mark to_mark(const YAML::Mark& mark) {
    return {static_cast<uint32_t>(mark.line + 1), static_cast<uint32_t>(mark.column + 1)};
  }

  // Copies into the document's memory, which runs no destructors.
  template <class T>
  const T* keep(const T* first, size_t count) {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    if (count == 0) return nullptr;
    void* memory = document_.memory.allocate(count * sizeof(T), alignof(T));
    return std::uninitialized_copy_n(first, count, static_cast<T*>(memory)) - count;
  }
  // Moves the elements from `begin` on, of the list that is complete, out of the growing ones.
  template <class T>
  List<T> keep_from(std::vector<T>& growing, size_t begin) {
    const size_t count = growing.size() - begin;
    const List<T> list(keep(growing.data() + begin, count), count);
    growing.resize(begin);
    return list;
  }

  [[noreturn]] void fail(const Mark& mark, std::string message) {
    throw Stop{{mark, std::move(message)}};
  }
  [[noreturn]] void fail_depth(const Mark& mark) {
    fail(mark, fmt::format("nesting past {} levels; flatten it", limits_.depth));
  }

  void check_tag(const Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    fail(mark, fmt::format("tag `{}`; tags have no meaning here, remove it", policy::shown(tag)));
  }

  void charge(const Mark& mark, size_t bytes) {
    charged_ += bytes;
    if (charged_ > limits_.alias_bytes) {
      fail(mark, fmt::format("anchors and aliases expand past {} MB; write less with them",
                             limits_.alias_bytes / (1024 * 1024)));
    }
  }

  void open(const Mark& mark, const std::string& tag, YAML::anchor_t anchor, Kind kind,
            size_t begin) {
    check_tag(mark, tag);
    if (stack_.size() >= limits_.depth) fail_depth(mark);
    Frame& frame = stack_.emplace_back();
    frame.part.node.kind = kind;
    frame.part.node.mark = mark;
    frame.anchor = anchor;
    frame.begin = begin;
  }

  void close() {
    const Frame frame = stack_.back();
    stack_.pop_back();
    finish(frame.part, frame.anchor);
  }

  // Hands a complete node to its parent, and remembers it when it has an anchor.
  void finish(const Part& part, YAML::anchor_t anchor) {
    const Node& node = part.node;
    if (++nodes_ > limits_.nodes) {
      fail(node.mark, fmt::format("more than {} values; split the file", limits_.nodes));
    }
    if (anchor != 0) {
      charge(node.mark, part.bytes);
      anchors_.emplace(anchor, part);
    }
    if (stack_.empty()) {
      root_ = node;
      return;
    }
    Frame& parent = stack_.back();
    parent.part.height = std::max(parent.part.height, part.height + 1);
    parent.part.bytes += part.bytes;
    if (parent.part.node.is_sequence()) {
      items_.push_back(node);
    } else if (parent.has_key) {
      Node::Member& member = members_.back();
      member.value = node;
      // Where nothing stands, yaml-cpp marks what follows.
      const bool is_behind = node.is_null() && node.mark.line != member.key_mark.line;
      if (is_behind) member.value.mark = member.key_mark;
      parent.has_key = false;
    } else {
      if (!node.is_scalar()) fail(node.mark, "a key that is not text; keys are plain names");
      members_.push_back({node.text, node.mark, {}});
      parent.has_key = true;
    }
  }

  static bool has_duplicates(const List<Node::Member>& members) {
    for (size_t i = 1; i < members.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (members[i].key == members[j].key) return true;
      }
    }
    return false;
  }

  void report_duplicates(const List<Node::Member>& members) {
    constexpr size_t kFew = 12;  // so many are compared at less cost than sorted
    if (members.size() <= kFew && !has_duplicates(members)) return;
    // Sorted, not hashed: the cost is bounded whatever the keys are.
    std::vector<uint32_t> order(members.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      const int compared = members[a].key.compare(members[b].key);
      return compared != 0 ? compared < 0 : a < b;
    });
    for (size_t i = 1; i < order.size(); ++i) {
      const Node::Member& first = members[order[i - 1]];
      const Node::Member& second = members[order[i]];
      if (first.key != second.key) continue;
      diagnostics_.error(document_.place(second.key_mark),
                         fmt::format("duplicate key `{}`, first in line {}; keep one of them",
                                     policy::shown(second.key), first.key_mark.line));
    }
  }

  Document& document_;
  const Limits& limits_;
  Diagnostics& diagnostics_;
  int documents_ = 0;
  size_t charged_ = 0;
  std::vector<Frame> stack_;
  std::vector<Node> items_;            // of all open sequences, the innermost one's last
  std::vector<Node::Member> members_;  // of all open mappings
  std::unordered_map<YAML::anchor_t, Part> anchors_;
  size_t nodes_ = 0;
  LastScalar last_scalar_;
  Node root_;
};

// Reads from memory that it does not own; yaml-cpp wants a stream.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());
    setg(begin, begin, begin + text.size());
  }
};

}  // namespace

std::string form_of(const Node& node) {
  std::string form;
  append_form(node, form);
  return form;
}

std::string flow_of(const Node& node) {
  std::string flow;
  append_flow(node, flow);
  return flow;
}

std::unique_ptr<Document> parse(std::string_view text, std::string file, Diagnostics& diagnostics,
                                const Limits& limits) {
  auto document = std::make_unique<Document>();
  document->file = std::move(file);
  const auto fail = [&](const Mark& mark, std::string message) {
    diagnostics.error(document->place(mark), std::move(message));
    return nullptr;
  };
  if (text.size() > limits.file_bytes) {
    return fail({}, fmt::format("larger than {} MB; split it", limits.file_bytes / (1024 * 1024)));
  }
  if (auto fault = scan(text)) return fail(fault->mark, std::move(fault->message));
  const size_t errors_before = diagnostics.error_count();
  TreeBuilder builder(*document, limits, diagnostics);
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    builder.check_last_quote(text);
  } catch (const Stop& stop) {
    return fail(stop.fault.mark, stop.fault.message);
  } catch (const YAML::Exception& exception) {
    const Mark mark = {static_cast<uint32_t>(exception.mark.line + 1),
                       static_cast<uint32_t>(exception.mark.column + 1)};
    const bool is_star = exception.msg.starts_with("alias not found");  // `tools: *`
    return fail(mark, is_star
                          ? std::string("`*` begins an alias; write `\"*\"` in quotes")
                          : fmt::format("not valid YAML: {}; mend the text here", exception.msg));
  }
  if (limits.duplicates_are_fatal && diagnostics.error_count() != errors_before) return nullptr;
  document->root = builder.root();
  document->ends_with_marker = last_line_is_marker(text);
  return document;
}

}  // namespace reeve::yaml
