// See awaited.h. In the steady state nothing here allocates: short ids fit into their strings, and
// a conversation keeps its room.
#include "proxy/awaited.h"

#include <algorithm>

namespace reeve {
namespace {

// No part holds a line feed: names do not, nor does a field of HTTP.
std::string_view key_of(const Awaited::Conversation& in) {
  thread_local std::string key;
  key.assign(in.upstream).append(1, '\n').append(in.agent).append(1, '\n').append(in.session);
  return key;
}

}  // namespace

Awaited::Stripe& Awaited::stripe_of(const Conversation& in) {
  return stripes_[std::hash<std::string_view>{}(in.agent) % stripes_.size()];
}

const Awaited::Stripe& Awaited::stripe_of(const Conversation& in) const {
  return stripes_[std::hash<std::string_view>{}(in.agent) % stripes_.size()];
}

const Awaited::State* Awaited::find(const Stripe& stripe, const Conversation& in) {
  const auto found = stripe.states.find(key_of(in));
  return found == stripe.states.end() ? nullptr : &found->second;
}

Awaited::State* Awaited::find(Stripe& stripe, const Conversation& in) {
  const auto found = stripe.states.find(key_of(in));
  return found == stripe.states.end() ? nullptr : &found->second;
}

Awaited::State& Awaited::make(Stripe& stripe, const Conversation& in) {
  if (State* known = find(stripe, in)) return *known;
  std::string key(key_of(in));
  auto own = stripe.by_agent.find(in.agent);
  if (own == stripe.by_agent.end()) {
    own = stripe.by_agent.emplace(std::string(in.agent), std::deque<std::string>()).first;
  }
  own->second.push_back(key);
  if (own->second.size() > kMostConversations) {
    stripe.states.erase(own->second.front());
    own->second.pop_front();
  }
  return stripe.states[std::move(key)];
}

void Awaited::ask(const Conversation& in, std::string_view id, std::string_view token) {
  Stripe& stripe = stripe_of(in);
  std::lock_guard lock(stripe.mutex);
  make(stripe, in).requests.push_back({std::string(id), std::string(token), false});
}

void Awaited::end(const Conversation& in, std::string_view id, std::string_view token,
                  After after) {
  Stripe& stripe = stripe_of(in);
  std::lock_guard lock(stripe.mutex);
  State* const state = find(stripe, in);
  if (!state) return;  // pushed out, or its session has ended
  const auto request = std::ranges::find_if(state->requests, [&](const Request& each) {
    return !each.over && each.id == id && each.token == token;
  });
  if (request == state->requests.end()) return;
  if (after == After::kNothing || (after == After::kProgress && token.empty())) {
    state->requests.erase(request);
    return;
  }
  request->over = true;
  if (after == After::kProgress) request->id.clear();
  if (++state->over <= kMostOpen) return;
  state->requests.erase(std::ranges::find_if(state->requests, &Request::over));
  --state->over;
}

bool Awaited::is_asked(const Conversation& in, std::string_view id) const {
  const Stripe& stripe = stripe_of(in);
  std::lock_guard lock(stripe.mutex);
  const State* const state = find(stripe, in);
  return state && !id.empty() &&
         std::ranges::find(state->requests, id, &Request::id) != state->requests.end();
}

bool Awaited::has_token(const Conversation& in, std::string_view token) const {
  const Stripe& stripe = stripe_of(in);
  std::lock_guard lock(stripe.mutex);
  const State* const state = find(stripe, in);
  return state && !token.empty() &&
         std::ranges::find(state->requests, token, &Request::token) != state->requests.end();
}

bool Awaited::take_answer(const Conversation& in, std::string_view id) {
  Stripe& stripe = stripe_of(in);
  std::lock_guard lock(stripe.mutex);
  State* const state = find(stripe, in);
  if (!state || id.empty()) return false;
  const auto request = std::ranges::find_if(
      state->requests, [&](const Request& each) { return each.over && each.id == id; });
  if (request == state->requests.end()) return false;
  state->requests.erase(request);
  --state->over;
  return true;
}

bool Awaited::question(const Conversation& in, std::string_view id) {
  Stripe& stripe = stripe_of(in);
  std::lock_guard lock(stripe.mutex);
  std::vector<std::string>& questions = make(stripe, in).questions;
  if (std::ranges::find(questions, id) != questions.end()) return true;  // a stream replayed
  if (questions.size() >= kMostOpen) return false;
  questions.emplace_back(id);
  return true;
}

bool Awaited::has_question(const Conversation& in, std::string_view id) const {
  const Stripe& stripe = stripe_of(in);
  std::lock_guard lock(stripe.mutex);
  const State* const state = find(stripe, in);
  return state && std::ranges::find(state->questions, id) != state->questions.end();
}

void Awaited::take_question(const Conversation& in, std::string_view id) {
  Stripe& stripe = stripe_of(in);
  std::lock_guard lock(stripe.mutex);
  State* const state = find(stripe, in);
  if (state) std::erase(state->questions, id);
}

void Awaited::forget(const Conversation& ended) {
  Stripe& stripe = stripe_of(ended);
  std::lock_guard lock(stripe.mutex);
  const auto found = stripe.states.find(key_of(ended));
  if (found == stripe.states.end()) return;
  stripe.states.erase(found);
  const auto own = stripe.by_agent.find(ended.agent);
  std::erase(own->second, key_of(ended));
  if (own->second.empty()) stripe.by_agent.erase(own);
}

void DroppedMessages::count(const std::string& upstream, Kind kind) {
  std::lock_guard lock(mutex_);
  ++counts_[upstream][static_cast<size_t>(kind)];
}

std::vector<std::pair<std::string, DroppedMessages::Counts>> DroppedMessages::counts() const {
  std::lock_guard lock(mutex_);
  return {counts_.begin(), counts_.end()};
}

}  // namespace reeve
