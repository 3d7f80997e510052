// `reeve diff` over a record: which calls are counted as otherwise, what they spent, exit codes.
#include "audit_record.h"
#include "policy/changes.h"
#include "proxy/commands/commands.h"
#include "proxy/commands/diff_record.h"

namespace reeve::audit {
namespace {

const std::string kHead =
    "currency: USD\nagents:\n"
    "  ann: {owner: o, purpose: p, team: t, roles: [r], expires: 2999-01-01}\n"
    "approvers: {leads: {members: [lee@acme.example]}}\nroles:\n  r:\n    allow:\n";

struct Loaded {
  explicit Loaded(const std::string& rules) : file{"policy.yaml", kHead + rules} {
    Diagnostics diagnostics;
    set = policy::PolicySet::load({&file, 1}, {}, diagnostics);
    REQUIRE(set);
    conditions = policy::conditions_of({&file, 1});
  }
  policy::SourceFile file;
  std::shared_ptr<const policy::PolicySet> set;
  policy::Conditions conditions;
};

class Calls {
 public:
  explicit Calls(const std::string& path, uint64_t rotate = 0) {
    JournalOptions options{.path = path};
    options.rotate = rotate;
    auto opened = Journal::open(std::move(options));
    REQUIRE(opened.ok());
    journal_ = std::move(*opened);
  }
  void add(const std::string& target, const std::string& decision, const std::string& cost = "") {
    const std::string who =
        ",\"call\":\"" + std::to_string(++count_) +
        "\",\"agent\":\"ann\",\"upstream\":\"u\",\"protocol\":\"mcp\",\"action\":"
        "\"tools/call\",\"target\":\"" +
        target + "\"";
    REQUIRE(journal_->append("decision", who + decision, at_second(count_)));
    REQUIRE(journal_->append("outcome",
                             who + ",\"status\":200" + (cost.empty() ? "" : ",\"cost\":" + cost),
                             at_second(count_)));
  }

 private:
  std::unique_ptr<Journal> journal_;
  int64_t count_ = 0;
};

constexpr const char* kAllowed = ",\"decision\":\"allow\",\"reason\":\"rule\",\"rule\":\"all\"";

TEST_CASE("diff: calls that go otherwise, by kind, with what they spent") {
  const TempFolder folder;
  const std::string path = folder.file("audit.jsonl");
  {
    Calls calls(path, 64 * 1024);
    for (int i = 0; i < 300; ++i) {
      calls.add("get", kAllowed);
      calls.add("pay", kAllowed, "0.250001");
    }
    calls.add("pay", ",\"decision\":\"deny\",\"reason\":\"budget\",\"rule\":\"all\"");
    calls.add("set", ",\"decision\":\"deny\",\"reason\":\"default\"");
    calls.add("../x", ",\"decision\":\"malformed\",\"reason\":\"malformed\"");
  }
  REQUIRE(record_files(path).size() > 2);
  const Loaded before("      - {id: all, upstream: u, tools: [get, pay]}\n");
  const Loaded after(
      "      - {id: all, upstream: u, tools: [get, set]}\n"
      "      - {id: some, upstream: u, tools: pay, when: {args.n: 1}}\n"
      "    deny: [{id: never, upstream: u, tools: get}]\n");
  const policy::Replay replay(before.set.get(), &before.conditions, *after.set, after.conditions);
  commands::OtherwiseReport report;
  REQUIRE(compare_with_record(record_files(path), replay, report));
  CHECK(report.replayed == 601);
  CHECK(report.left_out == 2);
  CHECK(report.unread == 0);
  CHECK(report.certain == 301);
  CHECK(report.uncertain == 300);
  REQUIRE(report.groups.size() == 3);
  CHECK(report.groups[0].target == "get");
  CHECK(report.groups[0].calls == 300);
  CHECK(report.groups[0].becomes == "deny");
  CHECK(report.groups[0].spent == 0);
  CHECK(report.groups[1].target == "set");
  CHECK(report.groups[1].was == "deny");
  CHECK(report.groups[1].becomes == "allow");
  CHECK(report.groups[2].target == "pay");
  CHECK(report.groups[2].becomes == "allow|deny");
  CHECK(report.groups[2].spent == 300 * 250'001);
}

TEST_CASE("diff: exit codes") {
  const TempFolder folder;
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder.file(name)) << text;
    return folder.file(name);
  };
  const std::string a = write("a.yaml", kHead + "      - {id: all, upstream: u, tools: [get]}\n");
  const std::string same = write("b.yaml", kHead + "      - {upstream: u, tools: get}\n");
  const std::string other = write("c.yaml", kHead + "      - {upstream: u, tools: set}\n");
  const std::string bad = write("d.yaml", "agents: {");
  const std::string record = folder.file("audit.jsonl");
  Calls(record).add("get", kAllowed);
  using Words = std::vector<std::string>;
  CHECK(commands::diff({a, same}) == 0);
  CHECK(commands::diff({a, same, "--audit", record}) == 0);
  CHECK(commands::diff({a, other}) == 1);
  CHECK(commands::diff({a, other, "--json", "--audit", record}) == 1);
  CHECK(commands::diff({a, bad}) == 2);
  CHECK(commands::diff({a}) == 2);
  CHECK(commands::diff({a, folder.file("none.yaml")}) == 2);
  CHECK(commands::diff({a, same, "--audit", folder.file("none")}) == 2);
  CHECK(commands::diff(Words{"--help"}) == 0);
}

}  // namespace
}  // namespace reeve::audit
