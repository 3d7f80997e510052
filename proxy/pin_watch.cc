// See pin_watch.h. Tested by tests/proxy/pin_watch_test.cc and tests/e2e/drift_test.mjs.
#include "proxy/pin_watch.h"

#include <utility>

namespace reeve {

namespace {

constexpr const char* kGone = "gone";

std::string key_of(const Spectator& who) {
  std::string key;
  key.reserve(who.upstream.size() + who.agent.size() + who.session.size() + 2);
  // None of them holds a line feed.
  return key.append(who.upstream)
      .append(1, '\n')
      .append(who.agent)
      .append(1, '\n')
      .append(who.session);
}

std::string names_of(const std::vector<mcp::PinPart>& parts) {
  std::string names;
  for (const mcp::PinPart part : parts) {
    names += (names.empty() ? "" : ", ") + std::string(mcp::to_string(part));
  }
  return names;
}

}  // namespace

PinWatch::Upstream& PinWatch::upstream(std::string_view name) {
  const auto found = upstreams_.find(name);
  return found != upstreams_.end() ? found->second : upstreams_[std::string(name)];
}

uint64_t PinWatch::epoch(std::string_view upstream) const {
  std::lock_guard lock(mutex_);
  const auto found = upstreams_.find(upstream);
  return found == upstreams_.end() ? 0 : found->second.epoch;
}

void PinWatch::tools_changed(std::string_view name) {
  std::lock_guard lock(mutex_);
  ++upstream(name).epoch;
}

PinWatch::Standing PinWatch::standing(const Spectator& who, const Pin& pin, size_t tool,
                                      Steady now) const {
  const std::string key = key_of(who);
  std::lock_guard lock(mutex_);
  const auto found = seen_.find(key);
  if (found == seen_.end()) return Standing::kUnseen;
  const Seen& seen = found->second;
  const auto known = upstreams_.find(who.upstream);
  const uint64_t epoch = known == upstreams_.end() ? 0 : known->second.epoch;
  if (seen.serial != pin.serial || seen.epoch != epoch || now - seen.since >= kFreshFor) {
    return Standing::kUnseen;
  }
  return seen.tools[tool];
}

PinWatch::Seen& PinWatch::seen(const Spectator& who) {
  const std::string key = key_of(who);
  const auto [at, fresh] = seen_.try_emplace(key);
  if (fresh) {
    std::deque<std::string>& own = by_agent_[std::string(who.agent)];
    own.push_back(key);
    if (own.size() > kMostPerAgent) {
      seen_.erase(own.front());
      own.pop_front();
    }
  }
  return at->second;
}

// Keeps what is news, and counts it.
void PinWatch::note(Upstream& upstream, std::vector<Change>& changes, Change change) {
  const std::string state = change.digest.empty() ? kGone : change.digest;
  const auto found = upstream.other.find(change.tool);
  if (found != upstream.other.end()) {
    if (found->second == state) return;
    found->second = state;
  } else if (upstream.other.size() < kMostRemembered) {
    upstream.other[change.tool] = state;
  }
  ++upstream.changes[change.kind];
  changes.push_back(std::move(change));
}

std::vector<PinWatch::Change> PinWatch::saw(const Spectator& who, const Pin& pin,
                                            const mcp::Sighting& sighting, Worth worth,
                                            uint64_t epoch, Steady now) {
  using Shown = mcp::Sighting::Shown;
  std::vector<Change> changes;
  std::lock_guard lock(mutex_);
  Upstream& all = upstream(who.upstream);
  if (all.serial != pin.serial) {
    all.serial = pin.serial;
    all.other.clear();
    all.instructions.clear();
  }
  Seen& own = seen(who);
  const bool stale = own.serial != pin.serial || own.epoch != epoch || now - own.since >= kFreshFor;
  if (stale || worth == Worth::kWhole) {
    own = {pin.serial, epoch, now,
           std::vector<Standing>(pin.lock.tools.size(),
                                 worth == Worth::kWhole ? Standing::kGone : Standing::kUnseen)};
  }
  for (size_t i = 0; i < sighting.tools().size(); ++i) {
    const mcp::Sighting::Tool& tool = sighting.tools()[i];
    const std::string& name = pin.lock.tools[i].name;
    if (tool.shown == Shown::kOther) {
      own.tools[i] = Standing::kOther;
      note(all, changes, {"changed", name, names_of(tool.parts), tool.digest});
    } else if (tool.shown == Shown::kSame && worth != Worth::kHint) {
      own.tools[i] = Standing::kSame;
      if (all.other.erase(name) == 0) continue;
      ++all.changes["restored"];
      changes.push_back({"restored", name, {}, pin.lock.tools[i].digest});
    } else if (tool.shown == Shown::kNot && worth == Worth::kWhole) {
      note(all, changes, {"removed", name, {}, {}});
    }
  }
  for (const mcp::Sighting::Added& added : sighting.added()) {
    note(all, changes, {"added", added.name, {}, added.digest});
  }
  return changes;
}

std::optional<PinWatch::Change> PinWatch::saw_instructions(const Pin& pin,
                                                           const std::string& digest) {
  std::lock_guard lock(mutex_);
  Upstream& all = upstream(pin.upstream);
  if (all.serial != pin.serial) {
    all.serial = pin.serial;
    all.other.clear();
    all.instructions.clear();
  }
  if (all.instructions == digest) return std::nullopt;
  all.instructions = digest;
  Change change{digest.empty() ? "restored" : "changed", {}, {}, digest};
  ++all.changes[change.kind];
  return change;
}

bool PinWatch::saw_hidden(std::string_view name, const std::string& text) {
  std::lock_guard lock(mutex_);
  Upstream& all = upstream(name);
  if (all.hidden.size() >= kMostRemembered || !all.hidden.insert(text).second) return false;
  ++all.hidden_count;
  return true;
}

std::optional<uint64_t> PinWatch::admit_line(std::string_view name, Steady now) {
  const int64_t minute = std::chrono::floor<std::chrono::minutes>(now.time_since_epoch()).count();
  std::lock_guard lock(mutex_);
  Upstream& all = upstream(name);
  if (all.minute != minute) {
    all.minute = minute;
    all.lines = 0;
  }
  if (all.lines >= kLinesPerMinute) {
    ++all.unwritten;
    return std::nullopt;
  }
  ++all.lines;
  return std::exchange(all.unwritten, 0);
}

std::vector<PinWatch::Counts> PinWatch::counts() const {
  std::lock_guard lock(mutex_);
  std::vector<Counts> counts;
  for (const auto& [name, all] : upstreams_) {
    counts.push_back({name, all.changes, all.hidden_count, all.other.size()});
  }
  return counts;
}

}  // namespace reeve
