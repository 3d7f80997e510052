// Reading one mapping of a policy: known keys, and unknown ones with the nearest that is known;
// then scalars of each type. Internal to parsing.
#ifndef REEVE_POLICY_PARSE_FIELDS_H_
#define REEVE_POLICY_PARSE_FIELDS_H_

#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/diagnostic.h"
#include "policy/document.h"
#include "policy/yaml.h"

namespace reeve::policy {

// One file being read.
struct FileReader {
  const yaml::Document& yaml;
  PolicyDocument& document;
  Diagnostics& diagnostics;
  uint32_t file = 0;
  // By selector and form: many rules share few, and one may be larger than all else of its rule.
  std::map<std::pair<SelectorKind, std::string>, std::shared_ptr<const Condition>> conditions;

  At at(const yaml::Mark& mark) const { return {file, mark.line, mark.column}; }
  void error(const yaml::Mark& mark, std::string message);
  // Notes a key that its reader must act on or refuse; `feature` is static.
  void uses(std::string_view feature, const yaml::Mark& mark);
};

// The values of one mapping by key. `what` names it in messages ("rule", "agent").
class Fields {
 public:
  // Reports every key that is not in `keys`. A `node` that is no mapping is an error and has no
  // fields.
  Fields(FileReader& reader, const yaml::Node& node, std::string_view what,
         std::initializer_list<std::string_view> keys);

  bool valid() const { return valid_; }
  const yaml::Node* find(std::string_view key) const;
  const yaml::Node& node() const { return node_; }
  // The text at `key`; an error and empty when it is no text, silent and empty when absent.
  Text text(std::string_view key) const;
  // `what` counts from `least`; an error and nothing when it is no such whole number.
  std::optional<uint64_t> whole_number(std::string_view key, uint64_t least) const;
  bool boolean(std::string_view key) const;

 private:
  FileReader& reader_;
  const yaml::Node& node_;
  bool valid_ = false;
  std::vector<const yaml::Node::Member*> known_;
};

// A non-empty scalar without characters that do not show; else an error and empty text.
Text read_text(FileReader& reader, const yaml::Node& node, std::string_view what);
// A list of texts; a text alone is a list of one. An empty list is an error.
std::vector<Text> read_texts(FileReader& reader, const yaml::Node& node, std::string_view what);
// One word of `words`, or an error that names the nearest.
std::string read_word(FileReader& reader, const Text& text, std::string_view what,
                      std::initializer_list<std::string_view> words);
yaml::Mark mark_of(const Text& text);
// The first moment of the day `YYYY-MM-DD`, in UTC, and the first after it.
std::optional<Time> read_day(FileReader& reader, const Text& text);
std::optional<Time> read_day_end(FileReader& reader, const Text& text);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_PARSE_FIELDS_H_
