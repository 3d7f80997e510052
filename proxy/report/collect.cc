// Tested by tests/proxy/report_test.cc.
#include "proxy/report/collect.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "policy/selector.h"
#include "proxy/audit/files.h"
#include "proxy/audit/query.h"
#include "proxy/clock.h"

namespace reeve::report {
namespace {

constexpr size_t kMostOpen = 200'000;     // questions without an answer
constexpr size_t kMostKinds = 1'000'000;  // of calls whose grants are not looked up again
constexpr size_t kMostPolicies = 1'000;

bool is_one_of(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What a server's protocol needs, rather than what an agent does.
bool is_protocol(const policy::Call& call) {
  return call.kind == policy::Kind::kMethod &&
         (policy::is_housekeeping(call.action) || call.action.find('/') == call.action.npos ||
          call.action.starts_with("notifications/"));
}

// Milliseconds with three places, as microseconds.
uint64_t read_millis(std::string_view digits) {
  return static_cast<uint64_t>(policy::parse_decimal(digits).value_or(0) / 1000);
}

uint64_t read_number(const json::Value& members, std::string_view name) {
  const auto value = members.find(name);
  uint64_t number = 0;
  if (value) {
    const std::string_view raw = value->raw();
    std::from_chars(raw.data(), raw.data() + raw.size(), number);
  }
  return number;
}

template <class Map>
auto* bounded(Map& map, std::string_view name) {
  auto at = map.find(name);
  if (at == map.end()) {
    const bool full = map.size() >= kMostNames;
    at = map.try_emplace(std::string(full ? kOthers : name)).first;
  }
  return &at->second;
}

}  // namespace

bool Filter::wants(std::string_view agent, std::string_view team) const {
  return (agents.empty() || is_one_of(agents, agent)) && (teams.empty() || is_one_of(teams, team));
}

Collector::Collector(Range range, Filter filter, const policy::PolicySet* policy)
    : filter_(std::move(filter)), policy_(policy) {
  tally_.range = std::move(range);
  tally_.parts = parts_of(tally_.range);
  tally_.by_part.resize(tally_.parts.begins.size());
  if (!policy) return;
  usage_.emplace(*policy);
  drawn_.emplace(*policy, tally_.range.now);
  for (const policy::AgentInfo& info : policy->agents()) {
    if (filter_.wants(info.name, info.team)) find_agent(info.name, info.owner, info.team);
  }
}

policy::Time Collector::since() const {
  const policy::Time before = tally_.range.before.start;
  return drawn_ ? std::min(before, drawn_->since()) : before;
}

std::string_view Collector::text(const json::Value& members, std::string_view name,
                                 std::string& scratch) {
  const auto value = members.find(name);
  return value && value->is_string() ? value->text(scratch) : std::string_view{};
}

// Null for lines that are not of an agent that is wanted.
Agent* Collector::agent_of(const json::Value& members) {
  const std::string_view name = text(members, "agent", scratch_.agent);
  if (name.empty()) return nullptr;
  return find_agent(name, text(members, "owner", scratch_.owner),
                    text(members, "team", scratch_.team));
}

Agent* Collector::find_agent(std::string_view name, std::string_view owner, std::string_view team) {
  key_ = name;
  auto at = agent_places_.find(key_);
  if (at == agent_places_.end()) {
    if (team.empty() && policy_) {  // a line that does not say
      if (const auto id = policy_->find_agent(name)) team = policy_->agents()[*id].team;
    }
    if (!filter_.wants(name, team) || tally_.agents.size() >= kMostAgents) return nullptr;
    at = agent_places_.emplace(key_, static_cast<uint32_t>(tally_.agents.size())).first;
    tally_.agents.push_back({.name = key_});
    tally_.agents.back().parts.resize(tally_.by_part.size());
  }
  Agent& agent = tally_.agents[at->second];
  if (!owner.empty() && agent.owner != owner) agent.owner = owner;
  if (!team.empty() && agent.team != team) agent.team = team;
  return filter_.wants(agent.name, agent.team) ? &agent : nullptr;
}

// The call as far as the line tells it; valid until the next one.
policy::Call Collector::call_of(const json::Value& members, policy::Time time) {
  policy::Call call;
  call.upstream = text(members, "upstream", scratch_.upstream);
  const std::string_view protocol = text(members, "protocol", scratch_.protocol);
  call.action = text(members, "action", scratch_.action);
  call.target = text(members, "target", scratch_.target);
  call.kind = audit::kind_of(protocol, call.action);
  if (call.kind == policy::Kind::kModel) call.model = call.target;
  call.args_unread = true;
  call.time = time;
  return call;
}

Tool& Collector::tool_of(Tools& tools, const policy::Call& call) {
  key_ = call.upstream;
  if (!key_.empty()) key_ += ' ';
  if (call.kind == policy::Kind::kHttp) {
    key_ += call.action;
    key_ += ' ';
    key_ += policy::kind_of_path(call.target);
  } else {
    key_ += policy::target_of(call);
  }
  const auto at = tools.find(key_);
  if (at != tools.end()) return at->second;
  return tools[tools.size() < kMostTools ? key_ : std::string(kOthers)];
}

Part& Collector::part_at(policy::Time time) {
  const auto& begins = tally_.parts.begins;
  const auto next = std::upper_bound(begins.begin(), begins.end(), time);
  part_ = static_cast<size_t>(std::max<std::ptrdiff_t>(0, next - begins.begin() - 1));
  return tally_.by_part[part_];
}

void Collector::take(const audit::Line& line, const json::Value& members) {
  const auto time = audit::read_time(line.time);
  if (!time || *time >= tally_.range.now.end) return;
  const When when = *time >= tally_.range.now.start      ? When::kNow
                    : *time >= tally_.range.before.start ? When::kBefore
                                                         : When::kEarlier;
  Source& source = tally_.source;
  if (source.lines++ == 0) {
    source.first_seq = line.seq;
    source.first_time = line.time;
  }
  source.last_seq = line.seq;
  if (source.last_time < line.time) source.last_time = line.time;
  source.last_hash = line.hash;
  if (line.kind == "decision") {
    if (when != When::kEarlier) take_decision(line, members, when, *time);
  } else if (line.kind == "outcome") {
    take_outcome(members, when, *time);
  } else if (line.kind == "approval") {
    take_approval(members, when, *time);
  } else if (when == When::kNow) {
    take_other(line, members);
  }
}

void Collector::take_decision(const audit::Line& line, const json::Value& members, When when,
                              policy::Time time) {
  const bool now = when == When::kNow;
  const std::string_view decision = text(members, "decision", scratch_.decision);
  if (!members.find("agent")) {
    if (now && decision != "allow")
      tally_.unproven += std::max<uint64_t>(1, read_number(members, "count"));
    return;
  }
  Agent* const agent = agent_of(members);
  if (!agent) return;
  const policy::Call call = call_of(members, time);
  const bool allowed = decision == "allow";
  if (now) {
    count_policy(text(members, "policy", scratch_.other), time);
    agent->last = std::max(agent->last, time);
    if (usage_) {
      if (const audit::Decided* decided = reader_.read(line, members)) {
        if (decided->recorded.verdict != policy::Verdict::kDeny) see_grant(decided->recorded);
      }
    }
  }
  if (allowed && is_protocol(call)) {
    if (now) ++tally_.protocol;
    return;
  }
  Counts& total = now ? tally_.now : tally_.before;
  Counts& own = now ? agent->now : agent->before;
  const std::string_view reason = text(members, "reason", scratch_.reason);
  Counts one;
  one.calls = 1;
  const Denied why = denied_by(decision, reason);
  if (!allowed && text(members, "mode", scratch_.other) == "report") {
    one.overlooked = 1;
  } else if (!allowed && reason == "pending") {
    one.waiting = 1;
  } else if (!allowed && reason != "agent-gone") {
    one.denied = 1;
    one.why[static_cast<size_t>(why)] = 1;
    if (now) count_refusal(members, *agent, why);
  }
  if (now) count_found(members, one);
  total.add(one);
  own.add(one);
  for (Tools* tools : {&agent->tools, &tally_.tools}) {
    Tool& tool = tool_of(*tools, call);
    if (now) {
      ++tool.calls;
      tool.denied += one.denied;
    } else {
      ++tool.before;
    }
  }
  if (!now) return;
  part_at(time).counts.add(one);
  ++agent->parts[part_];
}

void Collector::take_outcome(const json::Value& members, When when, policy::Time time) {
  const std::string_view decision = text(members, "decision", scratch_.decision);
  const bool went_out = members.find("upstream_ms").has_value();
  if (decision != "allow" && !went_out) return;
  const policy::Call call = call_of(members, time);
  const auto cost = members.find("cost");
  const policy::Micros spent =
      cost ? policy::parse_decimal(cost->raw()).value_or(0) : policy::Micros{0};
  const uint64_t tokens = read_number(members, "tokens_in") + read_number(members, "tokens_out");
  const std::string_view error = text(members, "error", scratch_.error);
  if (drawn_ && (went_out || error.empty())) {
    const std::string_view name = text(members, "agent", scratch_.agent);
    const auto micros = policy::checked_multiply(policy::kMicrosPerUnit,
                                                 static_cast<int64_t>(tokens & 0xffff'ffff'ffff));
    drawn_->add(name, call, {spent, micros.value_or(0)});
  }
  if (when == When::kEarlier) return;
  Agent* const agent = agent_of(members);
  if (!agent || is_protocol(call)) return;
  const bool now = when == When::kNow;
  const uint64_t status = read_number(members, "status");
  Counts one;
  one.spent = spent;
  one.tokens = tokens;
  if (decision != "allow" && text(members, "reason", scratch_.reason) == "guard") {
    one.withheld = 1;
  } else if (!error.empty() || status >= 400) {
    one.failed = 1;
  } else {
    one.succeeded = 1;
  }
  if (now) {
    count_found(members, one);
    if (one.failed > 0) {
      const std::string what = !error.empty() ? std::string(error) : fmt::format("{}", status);
      ++*bounded(tally_.errors, what);
    }
  }
  (now ? tally_.now : tally_.before).add(one);
  (now ? agent->now : agent->before).add(one);
  // A tunnel lasts as long as it is wanted, and people take their time.
  const auto ms = members.find("ms");
  const bool timed = ms && call.kind != policy::Kind::kConnect && !members.find("approval");
  const uint64_t micros = timed ? read_millis(ms->raw()) : 0;
  if (timed) {
    (now ? tally_.latency : tally_.latency_before).add(micros);
    (now ? agent->latency : agent->latency_before).add(micros);
  }
  if (!now) return;
  for (Tools* tools : {&agent->tools, &tally_.tools}) {
    Tool& tool = tool_of(*tools, call);
    tool.failed += one.failed + one.withheld;
    tool.spent = policy::checked_add(tool.spent, spent).value_or(tool.spent);
  }
  Part& part = part_at(time);
  part.counts.add(one);
  System& system = *bounded(tally_.systems, call.upstream.empty() ? "(internet)" : call.upstream);
  system.now.add(one);
  if (!timed) return;
  part.latency.add(micros);
  system.latency.add(micros);
}

void Collector::take_approval(const json::Value& members, When when, policy::Time time) {
  const std::string_view id = text(members, "approval", scratch_.call);
  const std::string_view verdict = text(members, "verdict", scratch_.decision);
  Agent* const agent = agent_of(members);
  if (!agent || id.empty()) return;
  const bool now = when == When::kNow;
  if (verdict == "asked") {
    if (now) ++agent->approvals.asked;
    if (questions_.size() < kMostOpen) questions_.try_emplace(std::string(id), time, when);
    return;
  }
  const auto question = questions_.find(std::string(id));
  const bool known = question != questions_.end();
  const uint64_t wait =
      known ? static_cast<uint64_t>(std::max<int64_t>(0, (time - question->second.asked).count()))
            : 0;
  const bool votes = verdict == "yes" || verdict == "approved" || verdict == "denied";
  if (now && votes) {
    Person& person = *bounded(tally_.people, text(members, "approver", scratch_.other));
    ++(verdict == "denied" ? person.no : person.yes);
    if (known) person.wait.add(wait);
  }
  if (verdict == "yes") return;  // more are needed
  if (now && (votes || (known && verdict == "expired"))) {
    Approvals& to = agent->approvals;
    ++(verdict == "approved" ? to.approved : verdict == "denied" ? to.denied : to.expired);
    if (known) to.wait.add(wait);
  }
  // A yes that expires unused later is no answer any more.
  if (known) questions_.erase(question);
}

void Collector::take_other(const audit::Line& line, const json::Value& members) {
  ++*bounded(tally_.kinds, line.kind);
  if (line.kind == "drift") {
    tally_.drifted += std::max<uint64_t>(1, read_number(members, "count"));
  } else if (line.kind == "audit") {
    tally_.unrecorded += read_number(members, "refused");
  } else if (line.kind == "start") {
    if (members.find("lost")) ++tally_.lost;
  } else if (line.kind == "budget") {
    const std::pair key(std::string(text(members, "budget", scratch_.other)),
                        std::string(text(members, "scope", scratch_.agent)));
    if (tally_.warned.size() >= kMostNames && !tally_.warned.contains(key)) return;
    WarnedBudget& budget = tally_.warned[key];
    const std::string_view state = text(members, "state", scratch_.decision);
    if (state == "warned") ++budget.warned;
    if (state == "spent") ++budget.spent;
    budget.unit = text(members, "unit", scratch_.other);
    if (const auto limit = members.find("limit")) budget.limit = limit->raw();
    if (const auto used = members.find("used")) budget.used = used->raw();
  }
}

void Collector::count_refusal(const json::Value& members, const Agent& agent, Denied why) {
  const std::string_view rule = text(members, "rule", scratch_.rule);
  std::string name(rule);
  if (why == Denied::kBudget) name = text(members, "budget", scratch_.other);
  if (why == Denied::kLimit) name = text(members, "limit", scratch_.other);
  std::string key = fmt::format("{} {}", static_cast<int>(why), name);
  auto at = refusal_places_.find(key);
  if (at == refusal_places_.end()) {
    if (refusal_places_.size() >= kMostNames) key = name = kOthers;
    at = refusal_places_.try_emplace(key, tally_.refusals.size()).first;
    if (at->second == tally_.refusals.size()) {
      tally_.refusals.push_back({name, std::string(text(members, "at", scratch_.other)),
                                 std::string(text(members, "because", scratch_.error)), why});
    }
  }
  Refusal& refusal = tally_.refusals[at->second];
  ++refusal.calls;
  ++refusal.agents[static_cast<uint32_t>(&agent - tally_.agents.data())];
}

void Collector::count_policy(std::string_view sha256, policy::Time time) {
  if (sha256.empty()) return;
  auto& policies = tally_.policies;
  auto at = policies.rbegin();
  while (at != policies.rend() && at->sha256 != sha256) ++at;
  if (at == policies.rend()) {
    if (policies.size() >= kMostPolicies) return;
    policies.push_back({std::string(sha256), time, time, 0});
    at = policies.rbegin();
  }
  at->last = std::max(at->last, time);
  ++at->calls;
}

void Collector::count_found(const json::Value& members, Counts& counts) {
  const auto found = members.find("found");
  if (!found || !found->is_object()) return;
  counts.guarded = 1;
  for (const json::Member guard : found->members()) {
    if (!guard.value.is_object()) continue;
    for (const json::Member what : guard.value.members()) {
      const std::string name =
          fmt::format("{}: {}", guard.key.text(scratch_.other), what.key.text(scratch_.rule));
      uint64_t times = 0;
      const std::string_view raw = what.value.raw();
      std::from_chars(raw.data(), raw.data() + raw.size(), times);
      *bounded(tally_.found, name) += times;
    }
  }
}

void Collector::see_grant(const policy::RecordedCall& recorded) {
  const policy::Call& call = recorded.call;
  key_.clear();
  for (const std::string_view part :
       {recorded.agent, recorded.rule, call.upstream, call.action, call.target}) {
    key_ += part;
    key_ += '\0';
  }
  if (seen_.contains(key_)) return;
  if (seen_.size() < kMostKinds) seen_.insert(key_);
  usage_->add(recorded);
}

void Collector::finish() {
  std::vector<uint32_t> order(tally_.agents.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return tally_.agents[a].name < tally_.agents[b].name; });
  std::vector<uint32_t> places(order.size());
  std::vector<Agent> sorted;
  sorted.reserve(order.size());
  for (const uint32_t old : order) {
    places[old] = static_cast<uint32_t>(sorted.size());
    sorted.push_back(std::move(tally_.agents[old]));
  }
  tally_.agents = std::move(sorted);
  for (Refusal& refusal : tally_.refusals) {
    std::map<uint32_t, uint64_t> agents;
    for (const auto& [place, calls] : refusal.agents) agents[places[place]] = calls;
    refusal.agents = std::move(agents);
  }
  std::sort(tally_.refusals.begin(), tally_.refusals.end(), [](const auto& a, const auto& b) {
    return std::pair(~a.calls, std::string_view(a.rule)) <
           std::pair(~b.calls, std::string_view(b.rule));
  });
  std::map<std::string, Team> teams;
  for (const Agent& agent : tally_.agents) {
    Team& team = teams[agent.team];
    team.name = agent.team;
    ++team.agents;
    team.now.add(agent.now);
    team.before.add(agent.before);
    team.latency.add(agent.latency);
    team.approvals.add(agent.approvals);
    tally_.approvals.add(agent.approvals);
  }
  for (auto& [name, team] : teams) tally_.teams.push_back(std::move(team));
}

bool read_record(const std::vector<std::string>& files, Collector& into, std::string& failed) {
  audit::Query query;
  append_time(query.since, into.since());
  append_time(query.until, into.tally().range.now.end);
  audit::Searcher searcher(query);
  for (const std::string& file : files) {
    audit::LineReader readable;
    if (!readable.open(file)) {
      failed = file;
      return false;
    }
    searcher.search(file, [&](const audit::Match& match) {
      into.take(match.line, match.members);
      return true;
    });
  }
  into.finish();
  return true;
}

}  // namespace reeve::report
