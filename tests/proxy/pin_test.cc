// Locks: what is pinned, how it is written and read, drift, hidden text, and rules beside a lock.
#include "proxy/mcp/pin.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/support/policy_loader.h"

namespace reeve::mcp {
namespace {

PinnedTool tool(std::string_view text) {
  json::Parser parser;
  const auto value = parser.parse(text);
  REQUIRE(value);
  const auto pinned = pin_tool(*value);
  REQUIRE(pinned);
  return *pinned;
}

std::string fault(std::string_view text) {
  json::Parser parser;
  const auto value = parser.parse(text);
  REQUIRE(value);
  const auto pinned = pin_tool(*value);
  return pinned ? "" : pinned.error().message;
}

PinLock lock_of(std::vector<std::string> tools) {
  PinLock lock;
  lock.upstream = "crm";
  lock.server = "crm 1.0";
  for (const std::string& text : tools) lock.tools.push_back(tool(text));
  return lock;
}

std::string read_errors(const std::string& text) {
  Diagnostics diagnostics;
  const auto lock = read_lock({"crm.lock", text}, diagnostics);
  CHECK(lock.has_value() != diagnostics.has_errors());
  std::string errors;
  for (const Diagnostic& diagnostic : diagnostics.all()) errors += to_string(diagnostic) + "\n";
  return errors;
}

TEST_CASE("a tool's digest is of what it means, not of how it is written") {
  const std::string digest =
      tool(R"({"name":"a","description":"x","inputSchema":{"b":1.0,"a":[]}})").digest;
  CHECK(digest.size() == 64);
  CHECK(tool(R"({ "inputSchema": {"a":[],"b":1}, "description":"\u0078","name":"a",
                 "title":null, "_meta":{"x":1} })")
            .digest == digest);
  for (const char* other : {
           R"({"name":"b","description":"x","inputSchema":{"b":1.0,"a":[]}})",
           R"({"name":"a","description":"x ","inputSchema":{"b":1.0,"a":[]}})",
           R"({"name":"a","title":"x","inputSchema":{"b":1.0,"a":[]}})",
           R"({"name":"a","description":"x","inputSchema":{"b":2,"a":[]}})",
           R"({"name":"a","description":"x","outputSchema":{"b":1.0,"a":[]}})",
           R"({"name":"a","description":"x","inputSchema":{"b":1.0,"a":[]},"annotations":{}})",
       }) {
    INFO(other);
    CHECK(tool(other).digest != digest);
  }
}

TEST_CASE("what cannot be pinned") {
  CHECK(fault("[]") == "a tool that is no object");
  CHECK(fault("{}") == "a tool without a name");
  CHECK(fault(R"({"name":""})") == "a tool without a name");
  CHECK(fault(R"({"name":"a","Name":"b"})") ==
        "tool `a` has two keys that differ from `name` by case at most");
  CHECK(fault(R"({"name":"a","inputschema":{}})") ==
        "tool `a` has a key that differs from `inputSchema` by case alone");
  CHECK(fault(R"({"name":"a","title":1})") == "tool `a`: `title` is no text");
  CHECK(fault(R"({"name":"a","annotations":[]})") == "tool `a`: `annotations` is no object");
}

TEST_CASE("a lock is written in one form, and read as it was written") {
  PinLock lock = lock_of({R"({"name":"a\u200b","description":"x\n\ud83d\ude00"})",
                          R"({"name":"b","inputSchema":{"z":{"y":[1,{}]},"a":true}})"});
  lock.instructions = R"("be\u202e kind")";
  const std::string text = write_lock(lock);
  CHECK(text.starts_with("{\n  \"version\": 1,\n  \"upstream\": \"crm\",\n"));
  CHECK(text.find("\"name\": \"a\\u200b\"") != std::string::npos);
  CHECK(text.find("\"inputSchema\": {\n        \"a\": true,\n        \"z\": {\n          \"y\": [\n"
                  "            1,\n            {}\n          ]\n        }\n      }\n") !=
        std::string::npos);
  Diagnostics diagnostics;
  const auto read = read_lock({"crm.lock", text}, diagnostics);
  REQUIRE(read);
  CHECK(write_lock(*read) == text);
  CHECK(compare(lock, *read).size() == 1);  // the instructions above are not canonical
  CHECK(compare(*read, *read).empty());
  CHECK(read_errors(write_lock(lock_of({}))).empty());
}

TEST_CASE("a lock that is not as it was written is an error, with its place") {
  const std::string good =
      write_lock(lock_of({R"({"name":"a","description":"x"})", R"({"name":"b"})"}));
  const auto edited = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const size_t at = text.find(from);
    REQUIRE(at != text.npos);
    return read_errors(text.replace(at, from.size(), to));
  };
  CHECK(read_errors("[]").starts_with("crm.lock:1:1: error: a lock is one JSON object"));
  CHECK(read_errors("{\n \"a\": 1,\n \"a\": 2}").find("crm.lock:3:2: error: ") == 0);
  CHECK(edited("\"version\": 1", "\"version\": 2").find("2:14: error: `version` must be 1") !=
        std::string::npos);
  CHECK(edited("\"x\"", "\"y\"").find("8:17: error: the digest of `a` is not that of what") !=
        std::string::npos);
  CHECK(edited("\"server\"", "\"servers\"").find("4:3: error: unknown key `servers`") !=
        std::string::npos);
  CHECK(edited("\"upstream\": \"crm\"", "\"upstream\": 1").find("`upstream` must be a text") !=
        std::string::npos);
  CHECK(edited("\"name\": \"b\"", "\"name\": \"a\"").find("stands here twice, or out of order") !=
        std::string::npos);
  for (size_t cut = 1; cut < good.size() - 1; ++cut) {
    CHECK_FALSE(read_errors(good.substr(0, cut)).empty());
  }
}

TEST_CASE("drift: added, removed, changed, and in which part") {
  const PinLock lock = lock_of({R"({"name":"a","description":"x"})", R"({"name":"b"})",
                                R"({"name":"c","title":"t","inputSchema":{}})"});
  PinLock now = lock_of({R"({"name":"a","description":"x"})",
                         R"({"name":"c","title":"u","inputSchema":{"a":1}})", R"({"name":"d"})"});
  now.instructions = "\"new\"";
  now.server = "another";
  std::string drifts;
  for (const Drift& drift : compare(lock, now)) drifts += to_string(drift) + "; ";
  CHECK(drifts ==
        "changed the server's instructions; removed `b`; changed `c`: title, inputSchema; "
        "added `d`; ");
  CHECK(compare(lock, lock.tools[0]).kind == Drift::Kind::kNone);
  CHECK(compare(lock, now.tools[2]).kind == Drift::Kind::kAdded);
}

TEST_CASE("pages of tools") {
  const auto add = [](PinReader& reader, std::string_view text, std::string& cursor) {
    json::Parser parser;
    const auto added = reader.add_page(*parser.parse(text), cursor);
    return added ? std::string() : added.error().message;
  };
  PinReader reader;
  std::string cursor;
  CHECK(add(reader, R"({"tools":[{"name":"b"}],"nextCursor":"n"})", cursor).empty());
  CHECK(cursor == "n");
  CHECK(add(reader, R"({"tools":[{"name":"a"}],"nextCursor":null})", cursor).empty());
  CHECK(cursor.empty());
  CHECK(add(reader, R"({"tools":[{"name":"b"}]})", cursor) == "the server lists tool `b` twice");
  const auto tools = reader.take();
  REQUIRE(tools.size() == 2);
  CHECK(tools[0].name == "a");
  PinReader other;
  CHECK_FALSE(add(other, R"({"tools":{}})", cursor).empty());
  CHECK_FALSE(add(other, R"({"Tools":[],"tools":[]})", cursor).empty());
  CHECK_FALSE(add(other, R"({"tools":[],"nextCursor":1})", cursor).empty());
}

TEST_CASE("hidden text: each kind, and what is none") {
  const auto kinds = [](std::string_view text) {
    std::vector<HiddenText> found;
    find_hidden(text, "description", found);
    std::string all;
    for (const HiddenText& one : found) {
      all += std::string(to_string(one.kind)) + " " + std::to_string(one.count) + "; ";
    }
    return all;
  };
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"Plain text,\n\twith lines.", ""},
      {"Gr\u00fc\u00dfe, \u65e5\u672c\u8a9e, \u041f\u0440\u0438\u0432\u0435\u0442 \u0391\u03b2",
       ""},
      {"\U0001F600 \u2764\uFE0F \U0001F468\u200D\U0001F469 1\uFE0F\u20E3", ""},
      {"a\x1b[31mb\x7f", "control characters 2; "},
      {"a\u202eb\u2066c\u200f", "bidirectional controls 3; "},
      {"a\u200bb\u2060c\ufeff\u00ad\u3164", "characters without width 5; "},
      {"a\u200db", "characters without width 1; "},
      {"a\U000E0041\U000E007F", "tag characters 2; "},
      {"a\uFE0F\U000E0101", "variation selectors 2; "},
      {"a\ue000\U000F0000", "characters without a meaning 2; "},
      {"p\u0430ypal and \u0391pple", "letters of two scripts in one word 2; "},
      {"\uff53end a\uff42", "letters of two scripts in one word 2; "},
      {"x\u200b\u202ey", "characters without width 1; bidirectional controls 1; "},
  };
  for (const auto& [text, expected] : rows) {
    INFO(text);
    CHECK(kinds(text) == expected);
  }
  json::Parser parser;
  std::vector<HiddenText> found;
  find_hidden(*parser.parse(R"({"properties":{"p\u200bq":{"enum":["a","b\u202e"]}}})"),
              "inputSchema", found);
  REQUIRE(found.size() == 2);
  CHECK(found[0].where == "inputSchema.properties.p?q");
  CHECK(found[1].where == "inputSchema.properties.p?q.enum.1");
  CHECK(found[1].code_point == 0x202e);
}

TEST_CASE("rules beside locks") {
  const auto policy = testing::load(R"YAML(
agents:
  ann: {owner: o, purpose: p, team: t, roles: [r]}
roles:
  r:
    allow:
      - {id: good, upstream: crm, tools: ["get*", send], when: {args.to: x, args.lines.0.sku: y}}
      - {id: every, upstream: crm, tools: send, when: {args.lines.*.sku: y}}
      - {id: typo, upstream: crm, tools: [sendd, get]}
      - {id: none, upstream: crm, tools: "delete*"}
      - {id: arg, upstream: crm, tools: [get, send], when: {args.too: 1}}
      - {id: deep, upstream: crm, tools: send, when: {args.lines.*.sku2: y}}
      - {id: open, upstream: crm, tools: open, when: {args.any.thing: 1, args.ref.x: 1}}
      - {id: elsewhere, upstream: kb, tools: nothing}
      - {id: both, upstream: "*", tools: nothing}
      - {id: expression, upstream: crm, tools: "re:(get|put)"}
servers:
  crm: {
dispatch: {
invoke: {
tool:
  args.name
}
  , send : {
  tool:
    args.tool
  }
}
}
  kb: {dispatch: {x: {tool: args.name}}}
)YAML");
  const PinLock lock = lock_of({
      R"({"name":"get","inputSchema":{"type":"object","properties":{"to":{}}}})",
      R"({"name":"open","inputSchema":{"type":"object","additionalProperties":true}})",
      R"({"name":"send","inputSchema":{"properties":{"to":{},"lines":{"type":"array",
          "items":{"properties":{"sku":{}}}}}}})",
  });
  Diagnostics diagnostics;
  check_against_locks(*policy, {{"crm", &lock}}, diagnostics);
  std::string said;
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    CHECK(diagnostic.severity == Severity::kWarning);
    said += diagnostic.message.substr(0, diagnostic.message.find(", which")) + "; ";
  }
  CHECK(said ==
        "rule `typo` names tool `sendd`; rule `none` names tool `delete*`; rule `arg` reads "
        "`args.too`; rule `deep` reads `args.lines.*.sku2`; `dispatch` names tool `invoke`; "
        "`dispatch` of `send` reads `args.tool`; ");
}

}  // namespace
}  // namespace reeve::mcp
