// See parse_condition.h. One function for each form: the value at the left, the test at the right,
// the times. Tested by tests/policy/condition_test.cc.
#include "policy/parse_condition.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "policy/number.h"
#include "policy/text.h"
#include "policy/value_forms.h"

namespace reeve::policy {

namespace {

constexpr size_t kMostSteps = 64;

class ConditionReader {
 public:
  ConditionReader(FileReader& reader, SelectorKind selector)
      : reader_(reader), selector_(selector) {}

  std::shared_ptr<const Condition> run(const yaml::Node& node) {
    const size_t errors_before = reader_.diagnostics.error_count();
    if (!node.is_mapping() || node.members.empty()) {
      reader_.error(node.mark,
                    "`when` must map values to tests, such as `args.amount: {max: 100}`");
      return nullptr;
    }
    auto condition = std::make_shared<Condition>();
    for (const yaml::Node::Member& member : node.members) {
      auto value = read_value(member);
      if (!value) continue;
      Condition::Part part{std::move(*value), {}, {}};
      if (part.value.root == ValueRef::Root::kTime) {
        read_time_test(reader_, member.value, part.time);
      } else {
        is_text_ = part.value.root != ValueRef::Root::kArgs;
        read_test(member.value, part.test, true);
      }
      condition->add(std::move(part));
    }
    if (reader_.diagnostics.error_count() != errors_before) return nullptr;
    return condition;
  }

 private:
  using Kind = Op::Kind;

  // ---- the value

  std::optional<ValueRef> read_value(const yaml::Node::Member& member) {
    const std::string& text = member.key;
    ValueRef value;
    value.text = text;
    const auto fail = [&](std::string message) {
      reader_.error(member.key_mark, std::move(message));
      return std::nullopt;
    };
    if (const char* fault = hidden_character(text)) {
      return fail(fmt::format("`{}` holds {}; remove it", shown(text), fault));
    }
    if (text == "time") {
      value.root = ValueRef::Root::kTime;
      return value;
    }
    const bool is_model = text == "model";
    const size_t dot = std::min(text.find('.'), text.size());
    const std::string_view root = std::string_view(text).substr(0, dot);
    const std::string_view rest = std::string_view(text).substr(std::min(dot + 1, text.size()));
    if (!is_model && root != "args" && root != "query" && root != "header") {
      return fail(
          fmt::format("unknown value `{}`; it is one of args.NAME, query.NAME, "
                      "header.NAME, model, time",
                      shown(text)));
    }
    if (!is_model && rest.empty()) {
      return fail(fmt::format("`{}` names no value; write `{}.NAME`", shown(text), root));
    }
    if (!can_have(root)) {
      return fail(fmt::format("`{}` is nothing that a call that `{}` selects can have; remove it",
                              shown(text), to_string(selector_)));
    }
    if (is_model) {
      reader_.uses("model", member.key_mark);
      value.root = ValueRef::Root::kModel;
      return value;
    }
    if (root == "args") {
      if (!read_steps(rest, value)) {
        return fail(
            fmt::format("`{}` is no path; write it as `args.a.b.0`, a key with a dot in "
                        "quotes",
                        shown(text)));
      }
      return value;
    }
    value.root = root == "query" ? ValueRef::Root::kQuery : ValueRef::Root::kHeader;
    value.name = std::string(rest);
    return value;
  }

  bool can_have(std::string_view root) const {
    switch (selector_) {
      case SelectorKind::kAll:
      case SelectorKind::kHttp:
      case SelectorKind::kModels:
        return true;
      case SelectorKind::kTools:
        return root == "args" || root == "header";
      case SelectorKind::kConnect:
        return false;
      default:
        return root == "header";
    }
  }

  // ---- the test

  std::optional<Scalar> read_scalar(const yaml::Node& node) {
    if (!node.is_scalar()) {
      reader_.error(node.mark, node.is_null()
                                   ? "a value must be text, a number, true or false; for its "
                                     "absence use `present: false`"
                                   : "a value must be text, a number, true or false");
      return std::nullopt;
    }
    if (!node.quoted && (node.text == "true" || node.text == "false")) {
      if (is_text_) {
        reader_.error(node.mark, fmt::format("`{}` is never the value of a query, header or model, "
                                             "which are text; write it in quotes",
                                             node.text));
        return std::nullopt;
      }
      return Scalar{node.text == "true" ? Scalar::Type::kTrue : Scalar::Type::kFalse, {}};
    }
    const bool number = !node.quoted && is_number(node.text);
    if (!node.quoted && !number && has_two_types(node.text)) {
      reader_.error(node.mark, fmt::format("`{}` is text here, and something else to other readers "
                                           "of YAML; write `true`, `false` or a number as JSON has "
                                           "it, or the text in quotes",
                                           shown(node.text)));
      return std::nullopt;
    }
    return Scalar{number ? Scalar::Type::kNumber : Scalar::Type::kText, node.text};
  }

  // Plain scalars that YAML 1.1 or 1.2 types, and this language does not: `True`, `yes`, `007`,
  // `0x10`, `.5`, `1_000`. Whoever writes one means what it is elsewhere.
  static bool has_two_types(std::string_view text) {
    for (const std::string_view word : {"true", "false", "yes", "no", "on", "off"}) {
      if (equals_ignoring_case(text, word)) return true;
    }
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    for (const std::string_view word : {".inf", ".nan"}) {
      if (equals_ignoring_case(text, word)) return true;
    }
    for (const std::string_view base : {"0x", "0o", "0b"}) {
      if (text.starts_with(base) && text.size() > 2) {
        return text.find_first_not_of("0123456789abcdefABCDEF_", 2) == text.npos;
      }
    }
    // Digits with at most one point and an exponent.
    const size_t exponent = std::min(text.find_first_of("eE"), text.size());
    const std::string_view mantissa = text.substr(0, exponent);
    std::string_view power = text.substr(std::min(exponent + 1, text.size()));
    if (power.starts_with('+') || power.starts_with('-')) power.remove_prefix(1);
    return mantissa.find_first_of("0123456789") != mantissa.npos &&
           mantissa.find_first_not_of("0123456789._") == mantissa.npos &&
           std::count(mantissa.begin(), mantissa.end(), '.') <= 1 &&
           (exponent == text.size() || !power.empty()) &&
           power.find_first_not_of("0123456789") == power.npos;
  }

  void read_is(const yaml::Node& node, Test& test) {
    Op op;
    op.kind = Kind::kIs;
    if (node.is_sequence() && node.items.empty()) {
      reader_.error(node.mark, "an empty list matches nothing; name at least one value");
    }
    const yaml::Node* begin = node.is_sequence() ? node.items.data() : &node;
    const size_t count = node.is_sequence() ? node.items.size() : 1;
    for (size_t i = 0; i < count; ++i) {
      if (auto scalar = read_scalar(begin[i])) op.scalars.push_back(std::move(*scalar));
    }
    test.ops.push_back(std::move(op));
  }

  // `whole`: of a value itself, where `default` can stand.
  void read_test(const yaml::Node& node, Test& test, bool whole) {
    if (!node.is_mapping()) {
      read_is(node, test);
      return;
    }
    const size_t errors_before = reader_.diagnostics.error_count();
    const Fields fields(reader_, node, "test",
                        {"min", "max", "above", "below", "is", "matches", "glob", "prefix", "not",
                         "present", "length", "under", "host", "any", "all", "default"});
    for (const yaml::Node::Member& member : node.members) {
      if (fields.find(member.key) == &member.value) read_op(member, test, whole);
    }
    if (reader_.diagnostics.error_count() != errors_before) return;
    if (test.ops.empty()) {
      reader_.error(node.mark, "a test without anything to test; write `is`, `max` or the like");
    } else if (is_empty_range(test)) {
      reader_.diagnostics.warning(reader_.yaml.place(node.mark),
                                  "no number is in this range; mend its ends");
    }
  }

  // Whether `min` or `above` leaves nothing to `max` or `below`.
  static bool is_empty_range(const Test& test) {
    for (const Op& low : test.ops) {
      if (low.kind != Kind::kMin && low.kind != Kind::kAbove) continue;
      for (const Op& high : test.ops) {
        if (high.kind != Kind::kMax && high.kind != Kind::kBelow) continue;
        const int order = compare_numbers(low.scalars[0].text, high.scalars[0].text);
        const bool closed = low.kind == Kind::kMin && high.kind == Kind::kMax;
        if (order > 0 || (order == 0 && !closed)) return true;
      }
    }
    return false;
  }

  void read_op(const yaml::Node::Member& member, Test& test, bool whole) {
    const std::string& key = member.key;
    const yaml::Node& node = member.value;
    if (key == "is") return read_is(node, test);
    if (key == "default") {
      if (!whole) {
        reader_.error(member.key_mark, "`default` stands beside the tests of a value itself");
      } else {
        test.absent = read_scalar(node);
      }
      return;
    }
    Op op;
    if (key == "min" || key == "max" || key == "above" || key == "below") {
      op.kind = key == "min"     ? Kind::kMin
                : key == "max"   ? Kind::kMax
                : key == "above" ? Kind::kAbove
                                 : Kind::kBelow;
      if (!node.is_scalar() || node.quoted || !is_number(node.text)) {
        reader_.error(node.mark, fmt::format("`{}` must be a number such as 100 or 0.5", key));
        return;
      }
      op.scalars.push_back({Scalar::Type::kNumber, node.text});
    } else if (key == "present") {
      op.kind = Kind::kPresent;
      if (!node.is_scalar() || node.quoted || (node.text != "true" && node.text != "false")) {
        reader_.error(node.mark, "`present` must be `true` or `false`");
        return;
      }
      op.present = node.text == "true";
    } else if (key == "not" || key == "any" || key == "all" || key == "length") {
      if (!read_nested(key, node, op)) return;
    } else if (!read_text_op(key, node, op)) {
      return;
    }
    test.ops.push_back(std::move(op));
  }

  bool read_nested(const std::string& key, const yaml::Node& node, Op& op) {
    op.kind = key == "not"   ? Kind::kNot
              : key == "any" ? Kind::kAny
              : key == "all" ? Kind::kAll
                             : Kind::kLength;
    op.nested = std::make_unique<Test>();
    if (op.kind == Kind::kLength && !node.is_mapping()) {
      reader_.error(node.mark, "`length` must be a map such as `{max: 20}`");
      return false;
    }
    const bool was_text = is_text_;
    if (op.kind == Kind::kLength) is_text_ = false;
    read_test(node, *op.nested, false);
    is_text_ = was_text;
    return true;
  }

  bool read_text_op(const std::string& key, const yaml::Node& node, Op& op) {
    if (key == "host") {
      op.kind = Kind::kHost;
      for (Text& text : read_texts(reader_, node, key)) {
        std::transform(text.value.begin(), text.value.end(), text.value.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        add_pattern(text.value, mark_of(text), op);
      }
      return !op.patterns.empty();
    }
    const Text text = read_text(reader_, node, key);
    if (text.empty()) return false;
    op.text = text.value;
    if (key == "prefix") {
      op.kind = Kind::kPrefix;
      return true;
    }
    if (key == "under") {
      op.kind = Kind::kUnder;
      if (op.text.size() > 1 && op.text.back() == '/') op.text.pop_back();
      if (!is_under(op.text, "/").value_or(false)) {
        reader_.error(node.mark, fmt::format("`{}` is no absolute path without dot segments, such "
                                             "as `/data`",
                                             shown(text.value)));
        return false;
      }
      return true;
    }
    op.kind = Kind::kPattern;
    return add_pattern(key == "matches" ? "re:" + text.value : text.value, node.mark, op);
  }

  bool add_pattern(const std::string& text, const yaml::Mark& mark, Op& op) {
    Result<Pattern> pattern = Pattern::compile(text);
    if (pattern) {
      op.patterns.push_back(std::move(*pattern));
    } else {
      reader_.error(mark, pattern.error().message);
    }
    return pattern.ok();
  }

  FileReader& reader_;
  SelectorKind selector_;
  bool is_text_ = false;  // the value is a query parameter, header or model
};

}  // namespace

bool read_steps(std::string_view path, ValueRef& value) {
  while (true) {
    Step step;
    size_t end = 0;
    if (path.starts_with('"')) {
      const size_t close = path.find('"', 1);
      if (close == path.npos) return false;
      step.key = std::string(path.substr(1, close - 1));
      end = close + 1;
    } else {
      end = std::min(path.find('.'), path.size());
      step.key = std::string(path.substr(0, end));
      if (step.key.empty() || step.key.find('"') != std::string::npos) return false;
      step.every = step.key == "*";
      size_t index = 0;
      const char* last = step.key.data() + step.key.size();
      const auto [stop, code] = std::from_chars(step.key.data(), last, index);
      if (code == std::errc() && stop == last) step.index = index;
    }
    add_step(value, std::move(step));
    if (value.steps.size() > kMostSteps) return false;
    if (end == path.size()) return true;
    if (path[end] != '.' || end + 1 == path.size()) return false;
    path.remove_prefix(end + 1);
  }
}

std::shared_ptr<const Condition> read_condition(FileReader& reader, const yaml::Node& node,
                                                SelectorKind selector) {
  auto& known = reader.conditions[{selector, yaml::form_of(node)}];
  if (!known) known = ConditionReader(reader, selector).run(node);  // errors: in each place
  return known;
}

}  // namespace reeve::policy
