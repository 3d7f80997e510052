// See limits.h. Tested by tests/policy/limits_test.cc.
#include "policy/limits.h"

#include <algorithm>
#include <cstring>
#include <functional>

namespace reeve::policy {

namespace {

using Steady = Limits::Steady;

constexpr uint32_t kMoments = 256;
// When a call under way will have ended nobody knows.
constexpr std::chrono::seconds kSoon{1};

}  // namespace

Admission& Admission::operator=(Admission&& other) noexcept {
  if (this == &other) return *this;
  end();
  limits_ = std::exchange(other.limits_, nullptr);
  agent_ = std::move(other.agent_);
  session_ = std::move(other.session_);
  stepped_ = other.stepped_;
  forwarded_ = other.forwarded_;
  return *this;
}

void Admission::end() {
  if (limits_ == nullptr) return;
  std::exchange(limits_, nullptr)->end(*this);
}

uint64_t Limits::Log::count(Steady now, std::chrono::seconds window) {
  size_t past = 0;
  while (past < moments_.size() && moments_[past].last + window <= now) {
    calls_ -= moments_[past++].calls;
  }
  moments_.erase(moments_.begin(), moments_.begin() + static_cast<ptrdiff_t>(past));
  return calls_;
}

Steady Limits::Log::opens(uint32_t limit, std::chrono::seconds window) const {
  uint64_t left = calls_;
  for (const Moment& moment : moments_) {
    left -= moment.calls;
    if (left < limit) return moment.last + window;
  }
  return Steady::max();
}

void Limits::Log::add(Steady now, uint32_t limit, std::chrono::seconds window) {
  ++calls_;
  // A clock read before another thread's may come after it.
  if (!moments_.empty()) now = std::max(now, moments_.back().last);
  if (limit > kMoments && !moments_.empty()) {
    Moment& last = moments_.back();
    if (now - last.first < std::chrono::nanoseconds(window) / (kMoments - 1)) {
      last.last = now;
      ++last.calls;
      return;
    }
  }
  moments_.push_back({now, now, 1});
}

size_t Limits::HashSha::operator()(const Sha256& digest) const {
  size_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

Limits::Name Limits::name_of(const RateLimit& limit) {
  return {limit.kind, {limit.count, limit.window}};
}

Limits::Shard& Limits::shard_of(std::string_view agent) {
  return shards_[std::hash<std::string_view>{}(agent) % shards_.size()];
}

Limits::Session& Limits::session_of(Agent& agent, std::string_view name) {
  const auto found = agent.session_index.find(name);
  if (found != agent.session_index.end()) {
    agent.sessions.splice(agent.sessions.begin(), agent.sessions, found->second);
    return agent.sessions.front();
  }
  if (agent.sessions.size() == kSessions) {
    agent.session_index.erase(agent.sessions.back().name);
    agent.sessions.pop_back();
  }
  agent.sessions.push_front({std::string(name), 0});
  agent.session_index.emplace(agent.sessions.front().name, agent.sessions.begin());
  return agent.sessions.front();
}

// What is known of this call; of one that is new, when there is no place, what was known of the one
// whose place it takes.
Limits::Log& Limits::repeats_of(Repeats& repeats, const Sha256& fingerprint, const RateLimit& limit,
                                Steady now) {
  const auto found = repeats.find(fingerprint);
  if (found != repeats.end()) return found->second;
  if (repeats.size() < kRepeatedCalls) return repeats[fingerprint];
  auto least = repeats.end();
  std::pair<uint64_t, Steady> fewest;
  for (auto it = repeats.begin(); it != repeats.end(); ++it) {
    const std::pair counted{it->second.count(now, limit.window), it->second.last()};
    if (least != repeats.end() && counted >= fewest) continue;
    least = it;
    fewest = counted;
  }
  auto node = repeats.extract(least);
  node.key() = fingerprint;
  return repeats.insert(std::move(node)).position->second;
}

std::optional<Steady> Limits::closed_until(Agent& agent, const RateLimit& limit,
                                           const LimitedCall& call) {
  switch (limit.kind) {
    case RateLimit::Kind::kCalls:
    case RateLimit::Kind::kRepeats: {
      if (limit.count == 0) return Steady::max();
      Log& log = limit.kind == RateLimit::Kind::kCalls
                     ? agent.calls[name_of(limit)]
                     : repeats_of(agent.repeats[name_of(limit)], call.fingerprint, limit, call.now);
      if (log.count(call.now, limit.window) < limit.count) return std::nullopt;
      return log.opens(limit.count, limit.window);
    }
    case RateLimit::Kind::kConcurrent:
      if (agent.running < limit.count) return std::nullopt;
      return limit.count == 0 ? Steady::max() : call.now + kSoon;
    case RateLimit::Kind::kSteps:
      if (session_of(agent, call.session).steps < limit.count) return std::nullopt;
      return Steady::max();
  }
  return Steady::max();
}

void Limits::count(Agent& agent, const RateLimit& limit, const LimitedCall& call,
                   Admission& admission) {
  switch (limit.kind) {
    case RateLimit::Kind::kCalls:
      agent.calls[name_of(limit)].add(call.now, limit.count, limit.window);
      break;
    case RateLimit::Kind::kRepeats:
      repeats_of(agent.repeats[name_of(limit)], call.fingerprint, limit, call.now)
          .add(call.now, limit.count, limit.window);
      break;
    case RateLimit::Kind::kConcurrent:  // all of an agent's calls are counted, once
      break;
    case RateLimit::Kind::kSteps:
      // Of several limits the session makes one step.
      if (std::exchange(admission.stepped_, true)) break;
      ++session_of(agent, call.session).steps;
      admission.session_ = call.session;
      break;
  }
}

Result<Admission, LimitRefusal> Limits::admit(const LimitedCall& call) {
  Admission admission;
  if (call.limits.empty()) return admission;
  Shard& shard = shard_of(call.agent);
  const std::lock_guard lock(shard.mutex);
  std::unique_ptr<Agent>& agent = shard.agents[std::string(call.agent)];
  if (agent == nullptr) agent = std::make_unique<Agent>();

  LimitRefusal refusal;
  Steady opens = Steady::min();
  for (const RateLimit& limit : call.limits) {
    if (call.date >= limit.until) continue;
    const std::optional<Steady> until = closed_until(*agent, limit, call);
    if (!until || *until < opens) continue;
    opens = *until;
    refusal.limit = &limit;
  }
  if (refusal.limit != nullptr) {
    if (opens != Steady::max()) {
      refusal.retry_after = std::chrono::ceil<std::chrono::seconds>(opens - call.now);
    }
    return refusal;
  }

  // Two that are written alike are one limit, and count a call once.
  for (size_t i = 0; i < call.limits.size(); ++i) {
    const RateLimit& limit = call.limits[i];
    if (call.date >= limit.until) continue;
    const auto same = [&](const RateLimit& other) {
      return call.date < other.until && name_of(other) == name_of(limit);
    };
    const auto before = call.limits.first(i);
    if (std::none_of(before.begin(), before.end(), same)) count(*agent, limit, call, admission);
  }
  ++agent->running;
  admission.limits_ = this;
  admission.agent_ = call.agent;
  return admission;
}

void Limits::end(const Admission& admission) {
  Shard& shard = shard_of(admission.agent_);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.agents.find(admission.agent_);
  if (found == shard.agents.end()) return;
  Agent& agent = *found->second;
  --agent.running;
  if (!admission.stepped_ || admission.forwarded_) return;
  const auto session = agent.session_index.find(admission.session_);
  if (session != agent.session_index.end() && session->second->steps > 0) --session->second->steps;
}

}  // namespace reeve::policy
