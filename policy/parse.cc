// Stage 1, parse: the sections of one policy file, in file order, into the symbolic form.
//
// parse_sections.h has one function for an entry of each section; what a value may be is in
// parse_fields.cc and parse_amounts.cc, what a rule selects in parse_selector.cc. Names are not
// looked up here. Tested by tests/policy/parse_test.cc and tests/fuzz/policy_fuzz.cc.
#include "policy/parse.h"

#include <fmt/format.h>

#include <memory>

#include "policy/parse_fields.h"
#include "policy/parse_sections.h"
#include "policy/text.h"
#include "policy/yaml.h"

namespace reeve::policy {

Text read_name(FileReader& reader, const yaml::Node::Member& member, std::string_view what) {
  constexpr size_t kLongestName = 200;
  const yaml::Mark& mark = member.key_mark;
  if (member.key.empty() || member.key.size() > kLongestName) {
    reader.error(mark, fmt::format("name of {} `{}` has {} bytes; write 1 to {}", what,
                                   shown(member.key), member.key.size(), kLongestName));
  } else if (const char* fault = hidden_character(member.key)) {
    reader.error(mark, fmt::format("name of {} holds {}; remove it", what, fault));
  }
  return {member.key, reader.at(mark)};
}

namespace {

void read_version(FileReader& reader, const yaml::Node& node) {
  if (!node.is_scalar() || node.text != "1") {
    reader.error(node.mark,
                 fmt::format("version `{}` is not known; write `version: 1`", shown(node.text)));
  }
}

// A word that several files may repeat if it is the same: `mode`, `unknown_model`.
void read_shared_word(FileReader& reader, const Text& word, std::string_view what,
                      std::initializer_list<std::string_view> words, Text& known) {
  if (word.empty() || read_word(reader, word, what, words).empty()) return;
  if (!known.empty() && known.value != word.value) {
    reader.error(mark_of(word),
                 fmt::format("{} `{}` differs from `{}` in {}; keep one", what, word.value,
                             known.value, to_string(reader.document.place(known.at))));
    return;
  }
  known = word;
}

void read_currency(FileReader& reader, const Text& currency) {
  if (currency.empty()) return;
  Text& known = reader.document.currency;
  if (currency.value.size() != 3 ||
      currency.value.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string::npos) {
    reader.error(mark_of(currency), fmt::format("`{}` is no currency; write its three letters, "
                                                "such as `USD`",
                                                shown(currency.value)));
  } else if (!known.empty() && known.value != currency.value) {
    reader.error(mark_of(currency),
                 fmt::format("currency `{}` differs from `{}` in {}; keep one", currency.value,
                             known.value, to_string(reader.document.place(known.at))));
  } else {
    known = currency;
  }
}

using EntryReader = void (*)(FileReader&, const yaml::Node::Member&);

void read_entries(FileReader& reader, const yaml::Node& node, std::string_view section,
                  EntryReader read_entry) {
  if (node.is_null()) return;  // a section whose entries are all comments
  if (!node.is_mapping()) {
    reader.error(node.mark, fmt::format("`{}` must be a mapping of names", section));
    return;
  }
  for (const yaml::Node::Member& member : node.members) read_entry(reader, member);
}

void read_prices(FileReader& reader, const yaml::Node& node) {
  if (node.is_null()) return;
  if (!node.is_sequence()) {
    reader.error(node.mark, "`prices` must be a list; begin each price with `-`");
    return;
  }
  for (const yaml::Node& item : node.items) read_price(reader, item);
}

}  // namespace

void parse_file(const SourceFile& file, PolicyDocument& document, Diagnostics& diagnostics) {
  const auto index = static_cast<uint32_t>(document.files.size());
  document.files.push_back(file.name);
  yaml::Limits limits;
  limits.duplicates_are_fatal = false;  // so that the other errors are found in the same run
  const std::unique_ptr<yaml::Document> yaml =
      yaml::parse(file.text, file.name, diagnostics, limits);
  if (!yaml) {
    document.complete = false;
    return;
  }
  if (yaml->ends_with_marker) document.marked_files.push_back(file.name);
  FileReader reader{*yaml, document, diagnostics, index};
  if (yaml->root.is_null()) {
    reader.error({}, "empty policy; write at least `agents` and `roles`");
    return;
  }
  const Fields fields(reader, yaml->root, "policy",
                      {"version", "mode", "upstreams", "unknown_model", "currency", "agents",
                       "roles", "approvers", "budgets", "prices", "guards", "servers"});
  if (const yaml::Node* version = fields.find("version")) read_version(reader, *version);
  if (const Text mode = fields.text("mode"); !mode.empty()) {
    if (mode.value == "report") reader.uses("mode: report", mark_of(mode));
    read_shared_word(reader, mode, "mode", {"enforce", "report"}, document.mode);
  }
  if (const Text word = fields.text("unknown_model"); !word.empty()) {
    reader.uses("unknown_model", mark_of(word));
    read_shared_word(reader, word, "`unknown_model`", {"deny", "highest"}, document.unknown_model);
  }
  read_currency(reader, fields.text("currency"));
  if (const yaml::Node* upstreams = fields.find("upstreams")) {
    for (Text& name : read_texts(reader, *upstreams, "upstreams")) {
      if (!document.upstreams) document.upstreams.emplace();
      document.upstreams->push_back(std::move(name));
    }
  }
  constexpr std::pair<std::string_view, EntryReader> kSections[] = {
      {"agents", read_agent},   {"roles", read_role},   {"approvers", read_approvers},
      {"budgets", read_budget}, {"guards", read_guard}, {"servers", read_server}};
  for (const auto& [section, read_entry] : kSections) {
    if (const yaml::Node* node = fields.find(section)) {
      read_entries(reader, *node, section, read_entry);
    }
  }
  if (const yaml::Node* node = fields.find("prices")) read_prices(reader, *node);
}

}  // namespace reeve::policy
