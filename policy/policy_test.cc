// See policy_test.h. Tested by tests/policy/policy_test_test.cc.
#include "policy/policy_test.h"

#include <fmt/format.h>

#include <memory>

#include "policy/explain.h"
#include "policy/json.h"
#include "policy/parse_fields.h"
#include "policy/text.h"
#include "policy/yaml.h"

namespace reeve::policy {

namespace {

// The number grammar of JSON; other plain scalars are text.
bool is_json_number(std::string_view text) {
  json::Parser parser;
  const auto value = parser.parse(text);
  return value && value->is_number();
}

// Bounded in depth by the YAML's own limit.
void append_json(std::string& out, const yaml::Node& node) {
  switch (node.kind) {
    case yaml::Kind::kNull:
      out += "null";
      return;
    case yaml::Kind::kScalar:
      if (!node.quoted &&
          (node.text == "true" || node.text == "false" || is_json_number(node.text))) {
        out += node.text;
      } else {
        json::append_string(out, node.text);
      }
      return;
    case yaml::Kind::kSequence: {
      char separator = '[';
      for (const yaml::Node& item : node.items) {
        out += separator;
        append_json(out, item);
        separator = ',';
      }
      out += node.items.empty() ? "[]" : "]";
      return;
    }
    case yaml::Kind::kMapping: {
      char separator = '{';
      for (const yaml::Node::Member& member : node.members) {
        out += separator;
        json::append_string(out, member.key);
        out += ':';
        append_json(out, member.value);
        separator = ',';
      }
      out += node.members.empty() ? "{}" : "}";
      return;
    }
  }
}

std::string to_json(const yaml::Node& node) {
  std::string out;
  append_json(out, node);
  return out;
}

class TestReader {
 public:
  TestReader(const yaml::Document& yaml, Diagnostics& diagnostics)
      : yaml_(yaml), reader_{yaml, scratch_, diagnostics, 0} {
    scratch_.files.push_back(yaml.file);
  }

  TestFile run() {
    TestFile file;
    const Fields fields(reader_, yaml_.root, "test file", {"policy", "cases"});
    if (!fields.valid()) return file;
    const Text policy = fields.text("policy");
    file.policy = policy.value;
    file.policy_at = scratch_.place(policy.at);
    if (!fields.find("policy")) {
      reader_.error(yaml_.root.mark, "no `policy`; write `policy: policy.yaml`");
    }
    const yaml::Node* cases = fields.find("cases");
    if (!cases || !cases->is_sequence()) {
      reader_.error(cases ? cases->mark : yaml_.root.mark,
                    "`cases` must be a list; begin each case with `-`");
      return file;
    }
    for (const yaml::Node& node : cases->items) read_case(node, file);
    return file;
  }

 private:
  void read_case(const yaml::Node& node, TestFile& file) {
    const Fields fields(reader_, node, "case", {"name", "agent", "call", "expect", "rule"});
    if (!fields.valid()) return;
    TestCase test;
    test.at = yaml_.place(node.mark);
    test.agent = fields.text("agent").value;
    test.rule = fields.text("rule").value;
    for (const char* key : {"agent", "call", "expect"}) {
      if (!fields.find(key))
        reader_.error(node.mark, fmt::format("case without `{}`; add it", key));
    }
    if (const Text expect = fields.text("expect"); !expect.empty()) {
      test.expect = read_word(reader_, expect, "`expect`",
                              {"allow", "ask", "deny", "unknown-agent", "malformed"});
    }
    if (const yaml::Node* call = fields.find("call")) read_call(*call, test.call);
    test.name = fields.text("name").value;
    if (test.name.empty()) {
      test.name =
          fmt::format("{}: {} {}", shown(test.agent), shown(test.call.upstream),
                      test.call.kind == Kind::kHttp
                          ? shown(test.call.action + " " + test.call.target)
                          : shown(test.call.target.empty() ? test.call.action : test.call.target));
    }
    file.cases.push_back(std::move(test));
  }

  void read_call(const yaml::Node& node, CallSpec& call) {
    const Fields fields(reader_, node, "call",
                        {"upstream", "tool", "args", "args_json", "resource", "prompt", "http",
                         "headers", "body", "body_raw", "connect", "model", "method", "at"});
    if (!fields.valid()) return;
    call.upstream = fields.text("upstream").value;
    read_target(fields, call);
    if (call.upstream.empty() && call.kind != Kind::kConnect && !fields.find("upstream")) {
      reader_.error(node.mark, "call without `upstream`; add it");
    }
    refuse_misplaced(fields, call.kind);
    if (const yaml::Node* args = fields.find("args")) call.args = to_json(*args);
    if (const yaml::Node* raw = fields.find("args_json")) call.args = raw->text;
    if (const yaml::Node* raw = fields.find("body_raw")) call.body = raw->text;
    if (const yaml::Node* headers = fields.find("headers")) read_headers(*headers, call);
    if (const yaml::Node* body = fields.find("body")) {
      call.body = body->is_scalar() ? body->text : to_json(*body);
      if (!body->is_scalar()) call.headers.emplace_back("content-type", "application/json");
    }
    if (const Text at = fields.text("at"); !at.empty()) {
      call.at = parse_time(at.value);
      if (!call.at) {
        reader_.error(
            {at.at.line, at.at.column},
            fmt::format("`{}` is no time; write it as `2026-11-22T09:30:00Z`", shown(at.value)));
      }
    }
  }

  // What the call would not look at must not stand there as if it did.
  void refuse_misplaced(const Fields& fields, Kind kind) {
    const bool has_body = kind == Kind::kHttp || kind == Kind::kModel;
    struct Part {
      const char* key;
      const char* bytes;  // the same as bytes
      bool fits;
      const char* owner;
    };
    for (const Part& part : {Part{"args", "args_json", kind == Kind::kTool, "a `tool`"},
                             Part{"body", "body_raw", has_body, "`http` or a `model`"}}) {
      const yaml::Node* bytes = fields.find(part.bytes);
      if (bytes && !bytes->is_scalar()) {
        reader_.error(bytes->mark,
                      fmt::format("`{}` must be text; write it in quotes", part.bytes));
      }
      if (bytes && fields.find(part.key)) {
        reader_.error(bytes->mark, fmt::format("`{}` beside `{}`; keep one", part.bytes, part.key));
      }
      for (const char* key : {part.key, part.bytes}) {
        const yaml::Node* node = fields.find(key);
        if (!node || part.fits) continue;
        reader_.error(node->mark, fmt::format("`{}` is for {} alone; remove it", key, part.owner));
      }
    }
  }

  void read_target(const Fields& fields, CallSpec& call) {
    int targets = 0;
    for (const auto& [key, kind] : {std::pair{"tool", Kind::kTool},
                                    {"resource", Kind::kResource},
                                    {"prompt", Kind::kPrompt},
                                    {"http", Kind::kHttp},
                                    {"connect", Kind::kConnect},
                                    {"model", Kind::kModel},
                                    {"method", Kind::kMethod}}) {
      const yaml::Node* node = fields.find(key);
      if (!node) continue;
      ++targets;
      if (!node->is_scalar()) {
        reader_.error(node->mark, fmt::format("`{}` must be text; write one value", key));
      } else if (kind != Kind::kHttp) {
        call.set_target(kind, node->text);  // as it is: a test may be about hidden characters
      } else if (!call.set_http(node->text)) {
        reader_.error(node->mark, fmt::format("`{}` is no `METHOD /path`; write it as `GET /a`",
                                              shown(node->text)));
      }
    }
    if (targets != 1) {
      reader_.error(fields.node().mark,
                    "a call takes exactly one of `tool`, `resource`, `prompt`, `http`, `connect`, "
                    "`model`, `method`");
    }
  }

  void read_headers(const yaml::Node& node, CallSpec& call) {
    if (!node.is_mapping()) {
      reader_.error(node.mark,
                    "`headers` must be a mapping of names to values, such as `{accept: a/b}`");
      return;
    }
    for (const yaml::Node::Member& member : node.members) {
      if (member.value.is_scalar()) {
        call.headers.emplace_back(member.key, member.value.text);
      } else {
        reader_.error(member.value.mark,
                      fmt::format("header `{}` must be text; write one value", shown(member.key)));
      }
    }
  }

  const yaml::Document& yaml_;
  PolicyDocument scratch_;
  FileReader reader_;
};

}  // namespace

std::optional<TestFile> parse_tests(const SourceFile& file, Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.error_count();
  const std::unique_ptr<yaml::Document> yaml = yaml::parse(file.text, file.name, diagnostics);
  if (!yaml) return std::nullopt;
  TestFile tests = TestReader(*yaml, diagnostics).run();
  if (diagnostics.error_count() != errors_before) return std::nullopt;
  return tests;
}

std::string run_test(const PolicySet& policy, const TestCase& test, Time now) {
  const Explanation explanation = explain(policy, test.agent, test.call, now);
  const std::string_view outcome = outcome_of(explanation);
  const RuleInfo* rule = explanation.decision.rule;
  const std::string got =
      rule ? fmt::format("{} by `{}` at {}", outcome, rule->id, to_string(rule->at))
      : !explanation.fault.empty() && explanation.outcome == Explanation::Outcome::kMalformed
          ? fmt::format("{}: {}", outcome, explanation.fault)
          : fmt::format("{} ({})", outcome, to_string(explanation.decision.reason));
  if (outcome != test.expect) return fmt::format("expected {}, got {}", test.expect, got);
  if (test.rule.empty() || (rule && rule->id == test.rule)) return {};
  return fmt::format("expected {} by `{}`, got {}", test.expect, test.rule, got);
}

}  // namespace reeve::policy
