// Generates the workload of bench/policy, and writes it as a policy and as JSON for the peers.
#include "bench/policy_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "policy/json.h"

namespace reeve::bench {

namespace {

constexpr uint32_t kAgents = 100;
constexpr uint32_t kRolesPerAgent = 3;
constexpr uint32_t kArguments = 64;
constexpr std::array kServices = {"billing", "crm",   "tickets", "search", "orders",
                                  "mail",    "files", "hr",      "wiki",   "payments"};
constexpr std::array kActions = {"get",    "list",   "search", "create",
                                 "update", "delete", "refund", "export"};
constexpr std::array kNouns = {"order", "invoice", "customer", "note",
                               "user",  "report",  "item",     "account"};
constexpr std::array kCollections = {"customers", "invoices", "orders",  "tickets",
                                     "users",     "reports",  "folders", "accounts"};
constexpr std::array kLeaves = {"notes",   "balance", "history", "lines",
                                "members", "status",  "files",   "audit"};

template <size_t kSize>
std::string pick(Random& random, const std::array<const char*, kSize>& words) {
  return words[random.below(kSize)];
}

std::string pick_service(Random& random, size_t rules) {
  const uint32_t services = std::max<uint32_t>(5, static_cast<uint32_t>(rules) / 50);
  const uint32_t service = random.below(services);
  return fmt::format("{}{}", kServices[service % kServices.size()], service / kServices.size());
}

std::string pick_verb(Random& random) {
  std::string verb = pick(random, kActions);
  if (random.percent(50)) verb += "_" + pick(random, kNouns);
  return verb;
}

std::string pick_id(Random& random) { return fmt::format("{}", 100 + random.below(900)); }

Form pick_form(Random& random) {
  const uint32_t roll = random.below(100);
  if (roll < 45) return Form::kExact;
  if (roll < 70) return Form::kPrefix;
  return roll < 95 ? Form::kGlob : Form::kRegex;
}

void make_tool_rule(Rule& rule, Random& random) {
  const std::string verb = pick_verb(random);
  const std::string noun = pick(random, kNouns);
  switch (rule.form) {
    case Form::kExact:
      rule.head = rule.pattern = rule.service + "." + verb;
      rule.regex = rule.service + "\\." + verb;
      rule.cedar = fmt::format("context.name == \"{}\"", rule.pattern);
      break;
    case Form::kPrefix:
      rule.head = rule.service + "." + verb.substr(0, 2);
      rule.pattern = rule.head + "*";
      rule.regex = rule.service + "\\." + verb.substr(0, 2) + ".*";
      rule.cedar = fmt::format("context.name like \"{}\"", rule.pattern);
      break;
    case Form::kGlob:
      if (random.percent(10)) {
        rule.where = Where::kAnyService;
        rule.tail = "." + verb;
        rule.regex = ".*\\." + verb;
      } else {
        rule.head = rule.service + ".";
        rule.tail = "_" + noun;
        rule.regex = rule.service + "\\..*_" + noun;
      }
      rule.pattern = rule.head + "*" + rule.tail;
      rule.cedar = fmt::format("context.name like \"{}\"", rule.pattern);
      break;
    case Form::kRegex: {
      const std::string first = pick(random, kActions), second = pick(random, kActions);
      rule.head = rule.service + ".";
      rule.regex = rule.pattern =
          fmt::format("{}\\.({}|{})(_[a-z]+)?", rule.service, first, second);
      rule.cedar = fmt::format(
          "(context.name == \"{0}.{1}\" || context.name == \"{0}.{2}\" || "
          "context.name like \"{0}.{1}_*\" || context.name like \"{0}.{2}_*\")",
          rule.service, first, second);
      break;
    }
  }
}

void make_path_rule(Rule& rule, Random& random) {
  const std::string collection = pick(random, kCollections);
  const std::string leaf = pick(random, kLeaves), other = pick(random, kLeaves);
  switch (rule.form) {
    case Form::kExact:
      rule.segments = {rule.service, collection, pick_id(random), leaf};
      break;
    case Form::kPrefix:
      rule.segments = {rule.service, collection};
      break;
    case Form::kGlob:
      if (random.percent(10)) {
        rule.where = Where::kAnyService;
        rule.segments = {"*", collection, "*", leaf};
      } else if (random.percent(50)) {
        rule.segments = {rule.service, "*", "*", leaf};
      } else {
        rule.segments = {rule.service, collection, "*", leaf};
      }
      break;
    case Form::kRegex:
      rule.regex = rule.pattern =
          fmt::format("/{}/{}/[0-9]+/({}|{})", rule.service, collection, leaf, other);
      rule.cedar = fmt::format(
          "context.s0 == \"{}\" && context.s1 == \"{}\" && [\"{}\", \"{}\"].contains(context.s3)",
          rule.service, collection, leaf, other);
      return;
  }
  for (size_t i = 0; i < rule.segments.size(); ++i) {
    const std::string& segment = rule.segments[i];
    rule.pattern += "/" + segment;
    rule.regex += "/" + (segment == "*" ? std::string("[^/]*") : segment);
    if (segment == "*") continue;
    if (!rule.cedar.empty()) rule.cedar += " && ";
    rule.cedar += fmt::format("context.s{} == \"{}\"", i, segment);
  }
  if (rule.form == Form::kPrefix) {
    rule.pattern += "/**";
    rule.regex += "/.*";
  }
}

Arguments make_arguments(Random& random) {
  Arguments made;
  made.amount = random.below(1200);
  made.currency = random.percent(80) ? (random.percent(50) ? "USD" : "EUR") : "CHF";
  made.text = fmt::format(
      R"({{"customer":{{"id":"c-{:05}","name":"Ann Example","tags":["gold","eu"]}},"reason":"{}",)"
      R"("amount":{},"currency":"{}","lines":[{{"sku":"A-1","count":2}},{{"sku":"B-7","count":1}}],)"
      R"("note":"{}"}})",
      random.below(100000), "goods came back unopened", made.amount, made.currency,
      std::string(240 + random.below(40), 'x'));
  return made;
}

}  // namespace

Workload make_workload(uint32_t rules, bool conditions, uint64_t seed) {
  Random random(seed);
  Workload made;
  made.seed = seed;
  made.conditions = conditions;
  made.roles = std::max<uint32_t>(1, rules / 10);
  for (uint32_t i = 0; i < rules; ++i) {
    Rule rule;
    rule.role = i * made.roles / rules;
    rule.deny = random.percent(20);
    rule.http = random.percent(50);
    rule.form = pick_form(random);
    rule.service = pick_service(random, rules);
    rule.max_amount = int64_t{250} << random.below(3);
    if (rule.http) {
      rule.method = random.percent(25) ? kAnyMethod : static_cast<uint8_t>(1 + random.below(3));
      make_path_rule(rule, random);
    } else {
      make_tool_rule(rule, random);
    }
    made.rules.push_back(std::move(rule));
  }
  // In a policy a role's allow rules stand before its deny rules.
  std::sort(made.rules.begin(), made.rules.end(), [](const Rule& a, const Rule& b) {
    return std::tie(a.role, a.deny, a.pattern, a.method, a.max_amount) <
           std::tie(b.role, b.deny, b.pattern, b.method, b.max_amount);
  });
  for (uint32_t agent = 0; agent < kAgents; ++agent) {
    std::vector<uint32_t> roles;
    while (roles.size() < std::min(kRolesPerAgent, made.roles)) {
      const uint32_t role = random.below(made.roles);
      if (std::find(roles.begin(), roles.end(), role) == roles.end()) roles.push_back(role);
    }
    made.agent_roles.push_back(std::move(roles));
  }
  for (uint32_t i = 0; i < kArguments; ++i) made.arguments.push_back(make_arguments(random));
  return made;
}

Request make_request(const Workload& workload, Random& random) {
  Request made;
  made.agent = random.below(static_cast<uint32_t>(workload.agent_roles.size()));
  made.arguments = random.below(static_cast<uint32_t>(workload.arguments.size()));
  const size_t count = workload.rules.size();
  bool http = random.percent(50);
  made.method = http ? static_cast<uint8_t>(1 + random.below(3)) : 0;
  std::string service = pick_service(random, count), verb = pick_verb(random);
  std::string collection = pick(random, kCollections), id = pick_id(random);
  std::string leaf = pick(random, kLeaves);
  if (random.percent(80)) {  // near a rule of the agent
    const auto& roles = workload.agent_roles[made.agent];
    const uint32_t role = roles[random.below(static_cast<uint32_t>(roles.size()))];
    const auto [begin, end] =
        std::equal_range(workload.rules.begin(), workload.rules.end(), Rule{.role = role},
                         [](const Rule& a, const Rule& b) { return a.role < b.role; });
    const Rule& rule = begin[random.below(static_cast<uint32_t>(end - begin))];
    http = rule.http;
    if (http && (made.method == 0 || random.percent(90))) {
      made.method = rule.method == kAnyMethod ? 1 : rule.method;
    }
    if (!http) made.method = 0;
    service = rule.service;
    const auto take = [&](size_t index, std::string& part) {
      if (index < rule.segments.size() && rule.segments[index] != "*") part = rule.segments[index];
    };
    take(1, collection);
    take(2, id);
    take(3, leaf);
    if (!http && rule.form == Form::kExact) verb = rule.pattern.substr(service.size() + 1);
  }
  made.target = http ? fmt::format("/{}/{}/{}/{}", service, collection, id, leaf)
                     : fmt::format("{}.{}", service, verb);
  return made;
}

std::string to_yaml(const Workload& workload) {
  std::string out = "version: 1\nagents:\n";
  for (size_t agent = 0; agent < workload.agent_roles.size(); ++agent) {
    out += fmt::format(
        "  a{}:\n    owner: owner@acme.example\n    purpose: bench\n    team: t\n    roles: [",
        agent);
    for (size_t i = 0; i < workload.agent_roles[agent].size(); ++i) {
      out += fmt::format("{}r{}", i ? ", " : "", workload.agent_roles[agent][i]);
    }
    out += "]\n";
  }
  out += "roles:\n";
  for (size_t i = 0; i < workload.rules.size(); ++i) {
    const Rule& rule = workload.rules[i];
    const bool new_role = i == 0 || workload.rules[i - 1].role != rule.role;
    if (new_role) out += fmt::format("  r{}:\n", rule.role);
    if (new_role || workload.rules[i - 1].deny != rule.deny) {
      out += rule.deny ? "    deny:\n" : "    allow:\n";
    }
    const char* mark = rule.form == Form::kRegex ? "re:" : "";
    out += fmt::format("      - id: x{}\n        upstream: {}\n", i, rule.http ? "web" : "mcp");
    if (rule.http) {
      const std::string_view method = rule.method == kAnyMethod ? "*" : kMethods[rule.method];
      out += fmt::format("        http: '{} {}{}'\n", method, mark, rule.pattern);
    } else {
      out += fmt::format("        tools: ['{}{}']\n", mark, rule.pattern);
    }
    if (workload.conditions) {
      out += fmt::format(
          "        when:\n          args.amount: {{max: {}}}\n"
          "          args.currency: [USD, EUR]\n",
          rule.max_amount);
    }
  }
  return out;
}

std::string to_json(const Workload& workload, const std::vector<bool>& decisions) {
  const auto quoted = [](std::string_view text) {
    std::string out;
    json::append_string(out, text);
    return out;
  };
  std::string out = fmt::format("{{\"conditions\":{},\"agents\":[", workload.conditions);
  for (size_t i = 0; i < workload.agent_roles.size(); ++i) {
    out += fmt::format("{}[{}]", i ? "," : "", fmt::join(workload.agent_roles[i], ","));
  }
  out += "],\"rules\":[";
  for (size_t i = 0; i < workload.rules.size(); ++i) {
    const Rule& rule = workload.rules[i];
    const bool key_match = rule.form == Form::kExact || rule.form == Form::kPrefix;
    std::string key = rule.pattern;  // keyMatch has one star, that crosses segments
    if (rule.http && rule.form == Form::kPrefix) key.pop_back();
    out += fmt::format(
        "{}{{\"role\":{},\"deny\":{},\"method\":{},\"key\":{},\"regex\":{},\"cedar\":{},"
        "\"max\":{}}}",
        i ? ",\n" : "", rule.role, rule.deny,
        quoted(rule.method == kAnyMethod ? "*" : kMethods[rule.method]),
        key_match ? quoted(key) : "null", quoted(rule.regex), quoted(rule.cedar), rule.max_amount);
  }
  out += "],\"requests\":[";
  for (size_t i = 0; i < workload.requests.size(); ++i) {
    const Request& request = workload.requests[i];
    const Arguments& arguments = workload.arguments[request.arguments];
    out += fmt::format(
        "{}{{\"agent\":{},\"method\":{},\"target\":{},\"amount\":{},\"currency\":{},\"allow\":{}}}",
        i ? ",\n" : "", request.agent, quoted(kMethods[request.method]), quoted(request.target),
        arguments.amount, quoted(arguments.currency), static_cast<bool>(decisions[i]));
  }
  return out + "]}\n";
}

}  // namespace reeve::bench
