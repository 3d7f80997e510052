// Tested by tests/proxy/audit_sink_test.cc and tests/e2e/audit_sinks_test.mjs.
#include "proxy/audit/sinks.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace reeve::audit {
namespace {

constexpr std::chrono::milliseconds kRequiredPause{1'000};  // between tries, at most

bool any_required(const std::vector<SinkConfig>& configs) {
  return std::any_of(configs.begin(), configs.end(),
                     [](const SinkConfig& config) { return config.required; });
}

}  // namespace

Result<std::unique_ptr<Sinks>> Sinks::create(const std::vector<SinkConfig>& configs,
                                             const std::string& folder, JournalOptions& options) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{
        fmt::format("the folder `{}`, for how far sinks of the record are, cannot be "
                    "made: {}",
                    folder, std::strerror(errno))};
  }
  std::unique_ptr<Sinks> sinks(new Sinks);
  sinks->configs_ = configs;
  sinks->folder_ = folder;
  sinks->record_ = options.path;
  if (any_required(configs)) {
    options.acknowledge = [to = sinks.get()](uint64_t seq, Dones done) {
      to->acknowledge(seq, std::move(done));
    };
    for (const SinkConfig& config : configs) {
      if (!config.required) continue;
      options.acknowledged_within = std::max(options.acknowledged_within, config.timeout);
    }
  }
  return sinks;
}

Sinks::~Sinks() { stop(); }

Result<bool> Sinks::open(const Journal& journal) {
  struct stat info{};
  const bool sealed = ::stat(checkpoints_path(record_).c_str(), &info) == 0;
  const SinkPosition now{journal.written_seq(), sealed ? static_cast<uint64_t>(info.st_size) : 0};
  for (const SinkConfig& config : configs_) {
    SinkOptions options{
        .config = config, .record = record_, .position_file = folder_ + "/" + config.name};
    if (config.required) {
      options.last_pause = kRequiredPause;
      options.on_delivery = [this](bool ok) { delivered(ok); };
    }
    auto sink = Sink::open(std::move(options), make_receiver(config), now);
    if (!sink) return sink.error();
    sinks_.push_back(std::move(*sink));
  }
  return true;
}

void Sinks::start(const Journal& journal) {
  for (const auto& sink : sinks_) {
    sink->start([&journal] { return journal.written_seq(); });
  }
}

void Sinks::stop() {
  for (const auto& sink : sinks_) sink->stop();
  std::vector<Waiting> left;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    left = std::exchange(waiting_, {});
  }
  for (const Waiting& each : left) {
    for (const auto& done : each.done) done(false);
  }
}

std::optional<std::string> Sinks::trouble() const {
  for (const auto& sink : sinks_) {
    if (sink->config().required && !sink->up()) {
      return fmt::format("the required sink `{}` of the record fails", sink->config().name);
    }
  }
  return std::nullopt;
}

// On the journal's thread.
void Sinks::acknowledge(uint64_t seq, Dones done) {
  const bool refused = trouble().has_value();
  bool waits = false;
  {
    std::lock_guard lock(mutex_);
    waits = !refused && !stopped_ && !sinks_.empty();
    if (waits) waiting_.push_back({seq, std::move(done)});
  }
  if (!waits) {
    for (const auto& each : done) each(false);
  }
  for (const auto& sink : sinks_) {
    if (sink->config().required) sink->wake();
  }
  // What was delivered or failed before it was among those that wait.
  if (waits) delivered(!trouble());
}

// On the thread of a sink, or the journal's. What failed is refused whoever else has it.
void Sinks::delivered(bool ok) {
  uint64_t all_have = UINT64_MAX;
  for (const auto& sink : sinks_) {
    if (sink->config().required) all_have = std::min(all_have, sink->delivered_seq());
  }
  std::vector<Waiting> told;
  {
    std::lock_guard lock(mutex_);
    const auto kept = ok ? std::find_if(waiting_.begin(), waiting_.end(),
                                        [&](const Waiting& each) { return each.seq > all_have; })
                         : waiting_.end();
    told.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(kept));
    waiting_.erase(waiting_.begin(), kept);
  }
  for (const Waiting& each : told) {
    for (const auto& done : each.done) done(each.seq <= all_have);
  }
}

std::vector<SinkGauge> Sinks::gauges() const {
  std::vector<SinkGauge> gauges;
  for (const auto& sink : sinks_) {
    gauges.push_back({sink->config().name, sink->lag(), sink->delivered(), sink->errors(),
                      sink->dropped(), sink->up()});
  }
  return gauges;
}

}  // namespace reeve::audit
