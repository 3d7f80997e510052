// Building, reloading, draining. A policy that does not load changes nothing but a counter, a line
// in the record and the log. Tested end to end by tests/e2e.
#include "proxy/app.h"

#include <fmt/format.h>

#include <boost/asio/signal_set.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <cstdio>
#include <limits>

#include "policy/compiled.h"
#include "proxy/agents/admin.h"
#include "proxy/approvals/admin.h"
#include "proxy/audit/files.h"
#include "proxy/budget_line.h"
#include "proxy/budget_view.h"
#include "proxy/console/record_search.h"
#include "proxy/console/rules.h"
#include "proxy/log.h"
#include "proxy/policy_files.h"
#include "proxy/recorded_arguments.h"
#include "proxy/store/sqlite_store.h"
#include "proxy/version.h"

namespace reeve {
namespace {

constexpr std::chrono::milliseconds kWatch{1000};
constexpr std::chrono::milliseconds kDrainLook{20};

// A file that is wrong in every line must not fill the log with each look at it.
void log_diagnostics(const Diagnostics& diagnostics) {
  constexpr size_t kMostLogged = 100;
  size_t logged = 0;
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    if (++logged > kMostLogged) break;
    log(diagnostic.severity == Severity::kError ? LogLevel::kError : LogLevel::kWarning,
        to_string(diagnostic));
  }
  if (diagnostics.all().size() <= kMostLogged) return;
  log(LogLevel::kError, fmt::format("and {} more; `reeve check` shows all of them",
                                    diagnostics.all().size() - kMostLogged));
}

// Each connection may need one to its upstream, and a thousand is room for all else.
size_t descriptors_wanted(const Config& config) {
  return 2 * config.limits.connections + 1000 + 100 * config.threads;
}

using SignalSet = net::asio::basic_signal_set<net::Executor>;

}  // namespace

Result<std::unique_ptr<App>> App::create(Config config, Diagnostics& diagnostics) {
  std::string seen = policy_files_signature(config.policy);
  auto policy = load_policy_files(config.policy, config.wiring(), nullptr, diagnostics);
  if (!policy) return Error{"the policy cannot be used"};
  std::string pins_seen = pin_files_signature(*policy);
  auto pins = load_pins(*policy, {}, diagnostics);
  if (!pins) return Error{"a lock that the policy names cannot be used"};
  auto folder = store::StateFolder::open(config.state);
  if (!folder) return folder.error();
  auto record = open_record(config, *folder);
  if (!record) return record.error();
  auto store = store::SqliteStore::open(folder->file("ledger.db"));
  if (!store) return store.error();
  auto treasury = Treasury::open(std::move(*store));
  if (!treasury) return treasury.error();
  auto fleet = open_fleet(config, *folder, **treasury);
  if (!fleet) return fleet.error();
  auto desk =
      approvals::Desk::open(folder->file("approvals.db"), *record->journal,
                            {.audit_path = config.audit.path, .limits = {}, .listener = {}});
  if (!desk) return desk.error();
  auto agents = open_agents(*folder);
  if (!agents) return agents.error();
  std::unique_ptr<App> app(new App(std::move(config), std::move(*folder), std::move(*record),
                                   std::move(*treasury), std::move(*fleet), std::move(*desk),
                                   std::move(*agents), std::move(policy), std::move(*pins)));
  app->seen_ = std::move(seen);
  app->pins_seen_ = std::move(pins_seen);
  if (!app->services_.transport.load(diagnostics)) return Error{"TLS cannot be used"};
  for (const auto& worker : app->workers_) {
    if (auto bound = worker->listen(); !bound) return bound.error();
  }
  if (app->admin_) {
    if (auto bound = app->admin_->listen(); !bound) {
      return Error{fmt::format("{}: {}", app->config_.file, bound.error().message)};
    }
  }
  return app;
}

Result<App::Agents> App::open_agents(const store::StateFolder& folder) {
  auto store = store::AgentStore::open(folder.file("agents.db"));
  if (!store) return store.error();
  auto stops = (*store)->load_stops();
  if (!stops) return stops.error();
  auto lives = (*store)->load_lives();
  if (!lives) return lives.error();
  return Agents{std::move(*store), std::move(*stops), std::move(*lives)};
}

App::App(Config config, store::StateFolder folder, Record record,
         std::unique_ptr<Treasury> treasury, Fleet fleet,
         std::unique_ptr<approvals::Desk> approvals, Agents agents,
         std::shared_ptr<const policy::PolicySet> policy, Pins pins)
    : config_(std::move(config)),
      folder_(std::move(folder)),
      sinks_(std::move(record.sinks)),
      journal_(std::move(record.journal)),
      start_members_(std::move(record.start_members)),
      treasury_(std::move(treasury)),
      fleet_(std::move(fleet)),
      descriptors_(plan_descriptors(raise_descriptor_limit(descriptors_wanted(config_)),
                                    config_.threads, config_.listeners.size(),
                                    config_.limits.connections)),
      services_{config_, descriptors_, *journal_, *treasury_, std::move(approvals), metrics_, {},
                {},      {},           {},        {}},
      agent_store_(std::move(agents.store)),
      stopper_({*agent_store_, *journal_, *services_.approvals, workers_, context_},
               std::move(agents.stops)),
      roster_(services_.agent_calls, *agent_store_, std::move(agents.lives)),
      watch_timer_(context_),
      drain_timer_(context_) {
  const audit::SealerOptions sealing{.path = config_.audit.path, .keep = config_.audit.keep};
  sealer_ = std::make_unique<audit::Sealer>(*journal_, std::move(record.sealing), sealing);
  if (sinks_) sinks_->start(*journal_);
  treasury_->listen([journal = journal_.get()](const policy::Notice& notice) {
    journal->append("budget", budget_members(notice), wall_now());
  });
  snapshot_ = make_snapshot(std::move(policy), std::move(pins));
  loaded_at_ = wall_now();
  started_at_ = loaded_at_;
  for (unsigned i = 0; i < config_.threads; ++i) {
    workers_.push_back(std::make_unique<Worker>(
        services_, snapshot_, stopper_.stops()->empty() ? nullptr : stopper_.stops()));
  }
  if (config_.admin) {
    AdminViews shown = views();
    live_ = std::make_unique<console::Live>(
        config_.audit.path,
        std::vector<console::Live::State>{
            {"agents",
             [this] {
               return list_agents({config_, stopper_, roster_, *treasury_}, *snapshot_->policy);
             }},
            {"budgets", shown.budgets},
            {"approvals",
             [this] {
               return fmt::format("{{\"pending\":{}}}", services_.approvals->counts().pending);
             }}},
        context_);
    admin_ =
        std::make_unique<Admin>(*config_.admin, std::move(shown), descriptors_.admin, context_);
  }
}

// The sinks read what the journal says it has.
App::~App() {
  journal_->finish();
  if (sinks_) sinks_->stop();
}

Result<App::Fleet> App::open_fleet(const Config& config, const store::StateFolder& folder,
                                   Treasury& treasury) {
  Fleet fleet;
  if (!config.fleet) return fleet;
  auto database = fleet::Database::open(config.fleet->database, config.fleet->instance);
  if (!database) return database.error();
  auto member = fleet::MemberStore::open(folder.file("ledger.db"));
  if (!member) return member.error();
  auto leasing =
      fleet::Leasing::open(treasury, **database, std::move(*member), config.fleet->instance);
  if (!leasing) return leasing.error();
  fleet.database = std::move(*database);
  fleet.leasing = std::move(*leasing);
  return fleet;
}

std::shared_ptr<const Snapshot> App::make_snapshot(std::shared_ptr<const policy::PolicySet> policy,
                                                   Pins pins) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->pins = std::move(pins);
  snapshot->accounts = treasury_->bind(policy->accounts(), wall_now());
  for (const policy::AgentInfo& agent : policy->agents()) {
    snapshot->agent_labels.push_back(metrics_.intern(agent.name));
    snapshot->agent_calls.push_back(&services_.agent_calls.counter(agent.name));
  }
  for (const policy::CompiledPrice& price : policy->compiled().prices) {
    if (price.selector.kind() != policy::SelectorKind::kModels) continue;
    for (const std::string& name : price.pattern_texts) {
      snapshot->model_labels.emplace(name, metrics_.intern(name));
    }
  }
  snapshot->rules_record_bodies = rules_record_body(*policy);
  snapshot->policy = std::move(policy);
  return snapshot;
}

int App::run() {
  std::signal(SIGPIPE, SIG_IGN);
  std::string members = ",\"version\":";
  json::append_string(members, kVersion);
  members += ",\"policy\":";
  json::append_string(members, snapshot_->policy->sha256());
  members += start_members_;
  if (!journal_->append("start", members, wall_now())) {
    log(LogLevel::kError, fmt::format("the record `{}` cannot be written", config_.audit.path));
    return 2;
  }
  if (descriptors_.lowered) {
    log(LogLevel::kWarning,
        fmt::format("the limit of open files leaves room for {} connections, not {} "
                    "(`limits.connections`); raise it (`ulimit -n`, LimitNOFILE)",
                    descriptors_.connections, config_.limits.connections));
  }
  net::spawn(context_, watch_signals());
  net::spawn(context_, watch_files());
  if (fleet_.database) fleet_.database->start();
  if (admin_) admin_->start();
  services_.stdio.start();
  for (const auto& worker : workers_) worker->start();
  for (const ListenerConfig& listener : config_.listeners) {
    log(LogLevel::kInfo,
        fmt::format("reeve {} listens on {}{} ({})", kVersion, to_string(listener.address),
                    listener.tls ? " with TLS" : "", listener.name));
  }
  if (config_.admin) {
    log(LogLevel::kInfo, fmt::format("admin on {}", to_string(config_.admin->address)));
  }
  log(LogLevel::kInfo,
      fmt::format("policy {} in force: {} agents, {}", config_.policy,
                  snapshot_->policy->agents().size(), snapshot_->policy->sha256()));
  context_.run();
  for (const auto& worker : workers_) worker->join();
  services_.stdio.stop();
  services_.approvals->stop();
  roster_.look(*snapshot_->policy, wall_now(), true);
  const auto settled = treasury_->stop();
  if (!settled) log(LogLevel::kError, settled.error().message);
  if (fleet_.leasing) {
    if (auto left = fleet_.leasing->leave(); !left) log(LogLevel::kError, left.error().message);
    fleet_.database->stop();
  }
  record_knocks(services_, std::numeric_limits<int64_t>::max(), wall_now());
  journal_->append("stop", {}, wall_now());
  journal_->finish();
  sealer_.reset();
  if (sinks_) sinks_->stop();
  log(LogLevel::kInfo, "stopped");
  return 0;
}

net::Task<void> App::watch_signals() {
  SignalSet signals(context_.get_executor());
  for (const int number : {SIGHUP, SIGTERM, SIGINT}) signals.add(number);
  for (;;) {
    net::ErrorCode ec;
    const int number = co_await signals.async_wait(net::asio::redirect_error(net::kAwait, ec));
    if (ec) co_return;
    if (number == SIGHUP) {
      reload();
      services_.transport.reload(true);
      continue;
    }
    if (services_.draining) {  // the second signal: now
      drain_timer_.cancel();
      for (const auto& worker : workers_) worker->stop();
      context_.stop();
      co_return;
    }
    services_.draining = true;
    net::spawn(context_, drain());
  }
}

net::Task<void> App::drain() {
  log(LogLevel::kInfo, "draining: no new connections; calls in flight may finish");
  services_.transport.close_sockets();
  for (const auto& worker : workers_) worker->drain();
  services_.approvals->drain();
  const Steady deadline = steady_now() + config_.limits.drain;
  for (;;) {
    size_t left = 0;
    for (const auto& worker : workers_) left += worker->connection_count();
    if (left == 0 || steady_now() >= deadline) break;
    net::ErrorCode ec;
    drain_timer_.expires_after(kDrainLook);
    co_await drain_timer_.async_wait(net::asio::redirect_error(net::kAwait, ec));
    if (ec) co_return;
  }
  for (const auto& worker : workers_) worker->stop();
  context_.stop();
}

net::Task<void> App::watch_files() {
  for (;;) {
    net::ErrorCode ec;
    watch_timer_.expires_after(kWatch);
    co_await watch_timer_.async_wait(net::asio::redirect_error(net::kAwait, ec));
    if (ec) co_return;
    std::erase_if(replaced_, [](const auto& policy) { return policy.use_count() == 1; });
    if (policy_files_signature(config_.policy) != seen_) reload();
    if (pin_files_signature(*snapshot_->policy) != pins_seen_) reload_pins();
    services_.transport.reload(false);
    roster_.look(*snapshot_->policy, wall_now(), false);
  }
}

void App::write_policy_line(std::string_view result, std::string_view error) {
  std::string members = ",\"result\":";
  json::append_string(members, result);
  members += ",\"policy\":";
  json::append_string(members, snapshot_->policy->sha256());
  if (!error.empty()) {
    members += ",\"error\":";
    json::append_string(members, error);
  }
  journal_->append("policy", members, wall_now());
}

void App::reload() {
  Diagnostics diagnostics;
  seen_ = policy_files_signature(config_.policy);
  auto policy =
      load_policy_files(config_.policy, config_.wiring(), snapshot_->policy.get(), diagnostics);
  auto pins = policy ? next_pins(*policy, diagnostics) : std::nullopt;
  if (!pins) policy = nullptr;
  log_diagnostics(diagnostics);
  if (!policy) {
    ++reloads_failed_;
    last_reload_error_ = "the policy cannot be used";
    for (const Diagnostic& diagnostic : diagnostics.all()) {
      if (diagnostic.severity != Severity::kError) continue;
      last_reload_error_ = to_string(diagnostic);
      break;
    }
    log(LogLevel::kError, "the new policy is refused; the running one stays in force");
    write_policy_line("error", last_reload_error_);
    return;
  }
  ++reloads_ok_;
  last_reload_error_.clear();
  loaded_at_ = wall_now();
  replaced_.push_back(snapshot_->policy);
  snapshot_ = make_snapshot(std::move(policy), std::move(*pins));
  for (const auto& worker : workers_) worker->replace_snapshot(snapshot_);
  write_policy_line("ok", {});
  log(LogLevel::kInfo, fmt::format("policy {} in force", snapshot_->policy->sha256()));
}

Gauges App::gauges() {
  Gauges g;
  g.policy_sha256 = snapshot_->policy->sha256();
  g.currency = snapshot_->policy->currency();
  for (policy::AgentId id = 0; id < snapshot_->policy->agents().size(); ++id) {
    const policy::AgentInfo& agent = snapshot_->policy->agents()[id];
    const std::string_view state =
        agent_state(*snapshot_->policy, id, *stopper_.stops(), wall_now());
    g.agents.push_back({agent.name, std::string(state), agent.team, agent.owner});
  }
  const auto units = [](policy::Micros amount) {
    return static_cast<double>(amount) / policy::kMicrosPerUnit;
  };
  for (const policy::AccountState& account : treasury_->snapshot(wall_now())) {
    const double resets =
        account.key.period == policy::Period::kTotal
            ? 0
            : std::chrono::duration<double>(account.window.end.time_since_epoch()).count();
    g.budgets.push_back({account.key.budget, account.key.scope, units(account.limit),
                         units(account.settled), units(account.reserved), resets});
    if (account.is_leased) {
      g.budgets.back().leased = units(account.allowance - account.settled - account.reserved);
      g.budgets.back().used_by_all = units(account.settled + account.reserved + account.others);
    }
  }
  if (fleet_.leasing) {
    const fleet::LeasingState fleet = fleet_.leasing->state();
    g.fleet = {.up = fleet.up, .members = fleet.members};
  }
  for (const UpstreamStatus& upstream : upstream_statuses()) {
    g.upstreams.push_back({upstream.name, upstream.up()});
  }
  g.audit_lines = journal_->lines();
  g.audit_errors = journal_->errors();
  if (sinks_) g.sinks = sinks_->gauges();
  g.reloads_ok = reloads_ok_;
  g.reloads_failed = reloads_failed_;
  g.tls_reloads_ok = services_.transport.reloads_ok();
  g.tls_reloads_failed = services_.transport.reloads_failed();
  g.tls_handshakes_failed = services_.transport.handshakes_failed();
  g.approvals = services_.approvals->counts();
  g.connections = services_.connections.load(std::memory_order_relaxed);
  add_pin_gauges(g);
  for (const auto& [upstream, counts] : services_.dropped.counts()) {
    DroppedGauge& each = g.dropped.emplace_back(DroppedGauge{upstream, {}});
    for (size_t kind = 0; kind < counts.size(); ++kind) {
      each.kinds.emplace_back(DroppedMessages::kNames[kind], counts[kind]);
    }
  }
  return g;
}

UpstreamStatuses App::upstream_statuses() const {
  std::vector<std::shared_ptr<const UpstreamStatuses>> views;
  for (const auto& worker : workers_) views.push_back(worker->upstream_statuses());
  return merged(views);
}

// One after another, and few: each may take seconds.
net::Task<AdminReply> App::ask_record(AdminCall call) {
  constexpr size_t kMostQuestions = 8;
  if (call.method != "GET" && call.method != "HEAD") {
    co_return AdminReply{405, "the record is read with GET"};
  }
  if (record_questions_ >= kMostQuestions) {
    co_return AdminReply{503, "the record is being asked by others; try again"};
  }
  const auto ask = call.path == "/v1/audit" ? console::search_record : console::read_activity;
  ++record_questions_;
  AdminReply reply = co_await record_readers_.run<AdminReply>(
      [ask, path = config_.audit.path, query = std::move(call.query)] {
        return ask(path, query, wall_now());
      });
  --record_questions_;
  co_return reply;
}

AdminViews App::views() {
  namespace bj = boost::json;
  AdminViews views;
  views.metrics = [this] { return metrics_.collect(gauges()); };
  views.not_ready = [this]() -> std::optional<std::string> {
    if (services_.draining) return "draining";
    if (!journal_->healthy()) return "the record cannot be written";
    if (sinks_) {
      if (auto trouble = sinks_->trouble()) return trouble;
    }
    return treasury_->trouble();
  };
  views.agents = [this](AdminCall call) {
    return serve_agents({config_, stopper_, roster_, *treasury_}, snapshot_->policy,
                        std::move(call));
  };
  views.budgets = [this] {
    bj::object also;
    if (fleet_.leasing) {
      const fleet::LeasingState fleet = fleet_.leasing->state();
      also["fleet"] = bj::object{{"instance", fleet.instance},
                                 {"up", fleet.up},
                                 {"trouble", fleet.trouble},
                                 {"members", fleet.members},
                                 {"era", fleet.era}};
    }
    return to_json(treasury_->snapshot(wall_now()), std::move(also));
  };
  views.approvals = [this](AdminCall call) {
    return approvals::serve_admin(*services_.approvals, snapshot_->policy, std::move(call));
  };
  views.rules = [this] { return console::rules_json(*snapshot_->policy); };
  views.record = [this](AdminCall call) { return ask_record(std::move(call)); };
  views.watch = [this] { return live_->watch(); };
  views.upstreams = [this] { return to_json(upstream_statuses()); };
  views.policy = [this] {
    return bj::serialize(bj::object{{"policy", snapshot_->policy->sha256()},
                                    {"file", config_.policy},
                                    {"version", kVersion},
                                    {"started", format_time(started_at_)},
                                    {"loaded", format_time(loaded_at_)},
                                    {"reloads", reloads_ok_},
                                    {"failed_reloads", reloads_failed_},
                                    {"last_error", last_reload_error_}});
  };
  return views;
}

}  // namespace reeve
