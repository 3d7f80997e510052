// Strict YAML on top of yaml-cpp's events: a scan of the bytes first, then a tree built bottom-up.
//
// The tree is made of values; an anchor keeps a copy of its node and an alias copies it again, and
// both are charged against `alias_bytes` before they are made, so that neither a bomb nor nested
// anchors cost more than the limit. A node knows its height, so that an alias cannot nest deeper
// than the file may. yaml-cpp reports syntax errors by exception; they end here.
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
#include <numeric>
#include <optional>
#include <streambuf>
#include <unordered_map>

#include "policy/text.h"

namespace reeve::yaml {

const Node* Node::find(std::string_view key) const {
  for (const Member& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

namespace {

// ---- The scan of the bytes: what yaml-cpp would accept, or misread, without a word.

struct Fault {
  Mark mark;
  std::string message;
};

// Characters that make a file read differently from what it says.
bool is_deceptive(uint32_t c) {
  return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E ||
         c == 0x200F || c == 0x2028 || c == 0x2029 || c == 0x85 || c == 0xFEFF;
}

bool is_tab_indented(std::string_view line) {
  const size_t text = line.find_first_not_of(" \t");
  if (text == std::string_view::npos || line[text] == '#' || line[text] == '\r') return false;
  return line.substr(0, text).find('\t') != std::string_view::npos;
}

std::string scan_line(std::string_view line, uint32_t& column) {
  column = 1;
  if (line.substr(0, 1) == "%") return "a directive; remove the line";
  if (is_tab_indented(line)) return "tab in the indentation; use spaces";
  for (size_t at = 0; at < line.size(); ++column) {
    const policy::CodePoint c = policy::decode_utf8(line, at);
    if (c.length == 0) return "bytes that are not UTF-8; save the file as UTF-8";
    if (c.value == '\r' && at + 1 == line.size()) return {};
    if ((c.value < 0x20 && c.value != '\t') || (c.value >= 0x7F && c.value < 0xA0)) {
      return fmt::format("control character U+{:04X}; remove it", c.value);
    }
    if (is_deceptive(c.value)) {
      return fmt::format("invisible character U+{:04X}; remove it", c.value);
    }
    at += c.length;
  }
  return {};
}

std::optional<Fault> scan(std::string_view text) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") {
    return Fault{{1, 1}, "byte order mark; save the file as UTF-8 without one"};
  }
  uint32_t number = 1;
  for (size_t begin = 0; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    uint32_t column = 0;
    std::string message = scan_line(text.substr(begin, end - begin), column);
    if (!message.empty()) return Fault{{number, column}, std::move(message)};
    begin = end + 1;
  }
  return std::nullopt;
}

bool last_line_is_marker(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const size_t line = text.rfind('\n');
  return text.substr(line == std::string_view::npos ? 0 : line + 1) == "...";
}

// ---- The tree.

// Ends the parse from within an event; caught in parse(), never seen outside.
struct Stop {
  Fault fault;
};

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const Document& document, const Limits& limits, Diagnostics& diagnostics)
      : document_(document), limits_(limits), diagnostics_(diagnostics) {}

  Node take_root() { return std::move(root_); }

  // yaml-cpp takes the end of the file for a closing quote; only the last scalar can be cut so.
  void check_last_quote(std::string_view text) const {
    if (last_scalar_.quoted &&
        !is_closed(text.substr(std::min(text.size(), last_scalar_.offset)))) {
      throw Stop{{last_scalar_.mark, "a quote that is never closed; close it"}};
    }
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) {
      fail(mark, "text after the end of the document; a file holds one document, split it");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    node.mark = to_mark(mark);
    finish({std::move(node), anchor, 1, sizeof(Node)});
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) {
      fail(mark, "alias to a node that contains it; write the value out");
    }
    const Part& anchored = known->second;
    if (stack_.size() + anchored.height > limits_.depth) fail_depth(mark);
    charge(mark, anchored.bytes);
    Part part = anchored;
    part.anchor = 0;
    part.node.mark = to_mark(mark);
    finish(std::move(part));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    if (value.find('\0') != std::string::npos) fail(mark, "NUL character in text; remove it");
    Node node;
    node.kind = Kind::kScalar;
    node.quoted = tag == "!";
    node.mark = to_mark(mark);
    node.text = value;
    last_scalar_ = {static_cast<size_t>(mark.pos), node.mark, node.quoted};
    finish({std::move(node), anchor, 1, sizeof(Node) + value.size()});
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Kind::kSequence);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Kind::kMapping);
  }
  void OnMapEnd() override {
    report_duplicates(stack_.back().part.node);
    close();
  }

 private:
  // A node with what is known of it once it is complete.
  struct Part {
    Node node;
    YAML::anchor_t anchor = 0;
    size_t height = 1;
    size_t bytes = 0;
  };
  struct LastScalar {
    size_t offset = 0;
    Mark mark;
    bool quoted = false;
  };
  struct Frame {
    Part part;
    bool has_key = false;  // of a mapping: the last member waits for its value
  };

  // Whether the scalar that begins `text`, behind its anchor, has its closing quote.
  static bool is_closed(std::string_view text) {
    while (!text.empty() && (text[0] == '&' || text[0] == '!')) {
      text.remove_prefix(std::min(text.find_first_of(" \t\r\n"), text.size()));
      text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    }
    if (text.empty() || (text[0] != '"' && text[0] != '\'')) return true;  // a block scalar
    const char quote = text[0];
    for (size_t i = 1; i < text.size(); ++i) {
      if (quote == '"' && text[i] == '\\') {
        ++i;
      } else if (text[i] == quote) {
        if (quote == '"' || text.substr(i + 1, 1) != "'") return true;
        ++i;
      }
    }
    return false;
  }

  static Mark to_mark(const YAML::Mark& mark) {
    return {static_cast<uint32_t>(mark.line + 1), static_cast<uint32_t>(mark.column + 1)};
  }
  static YAML::Mark to_yaml(const Mark& mark) {
    YAML::Mark result;
    result.line = static_cast<int>(mark.line) - 1;
    result.column = static_cast<int>(mark.column) - 1;
    return result;
  }

  [[noreturn]] void fail(const YAML::Mark& mark, std::string message) {
    throw Stop{{to_mark(mark), std::move(message)}};
  }
  [[noreturn]] void fail_depth(const YAML::Mark& mark) {
    fail(mark, fmt::format("nesting past {} levels; flatten it", limits_.depth));
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    fail(mark, fmt::format("tag `{}`; tags have no meaning here, remove it", tag));
  }

  void charge(const YAML::Mark& mark, size_t bytes) {
    charged_ += bytes;
    if (charged_ > limits_.alias_bytes) {
      fail(mark, fmt::format("anchors and aliases expand past {} MB; write less with them",
                             limits_.alias_bytes / (1024 * 1024)));
    }
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Kind kind) {
    check_tag(mark, tag == "!" ? std::string() : tag);
    if (stack_.size() >= limits_.depth) fail_depth(mark);
    Frame frame;
    frame.part.node.kind = kind;
    frame.part.node.mark = to_mark(mark);
    frame.part.anchor = anchor;
    frame.part.bytes = sizeof(Node);
    stack_.push_back(std::move(frame));
  }

  void close() {
    Part part = std::move(stack_.back().part);
    stack_.pop_back();
    finish(std::move(part));
  }

  // Hands a complete node to its parent, and keeps a copy when it has an anchor.
  void finish(Part part) {
    if (++nodes_ > limits_.nodes) {
      fail(to_yaml(part.node.mark),
           fmt::format("more than {} values; split the file", limits_.nodes));
    }
    if (part.anchor != 0) {
      charge(to_yaml(part.node.mark), part.bytes);
      anchors_.emplace(part.anchor, part);
    }
    if (stack_.empty()) {
      root_ = std::move(part.node);
      return;
    }
    Frame& parent = stack_.back();
    parent.part.height = std::max(parent.part.height, part.height + 1);
    parent.part.bytes += part.bytes;
    if (parent.part.node.is_sequence()) {
      parent.part.node.items.push_back(std::move(part.node));
    } else if (parent.has_key) {
      parent.part.node.members.back().value = std::move(part.node);
      parent.has_key = false;
    } else {
      if (!part.node.is_scalar()) {
        fail(to_yaml(part.node.mark), "a key that is not text; keys are plain names");
      }
      parent.part.node.members.push_back({std::move(part.node.text), part.node.mark, {}});
      parent.has_key = true;
    }
  }

  // Sorted, not hashed: the cost is bounded whatever the keys are.
  void report_duplicates(const Node& mapping) {
    const auto& members = mapping.members;
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
                                     second.key, first.key_mark.line));
    }
  }

  const Document& document_;
  const Limits& limits_;
  Diagnostics& diagnostics_;
  int documents_ = 0;
  size_t charged_ = 0;
  std::vector<Frame> stack_;
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
    return fail(mark, fmt::format("not valid YAML: {}; mend the text here", exception.msg));
  }
  if (limits.duplicates_are_fatal && diagnostics.error_count() != errors_before) return nullptr;
  document->root = builder.take_root();
  document->ends_with_marker = last_line_is_marker(text);
  return document;
}

}  // namespace reeve::yaml
