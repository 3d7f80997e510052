// See issued.h. Values are kept as digests: a server chooses how long they are.
#include "proxy/issued.h"

#include <algorithm>
#include <mutex>
#include <tuple>

#include "proxy/digest.h"
#include "proxy/exchange.h"
#include "proxy/worker.h"

namespace reeve {

namespace {

std::string key_of(Issued::Kind kind, std::string_view upstream, std::string_view value) {
  std::string text(1, static_cast<char>(kind));
  text.append(upstream).append(1, '\n');  // no name of an upstream holds a line feed
  const policy::Sha256 hash = sha256(text, value);
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

}  // namespace

void Issued::issue(Kind kind, std::string_view upstream, std::string_view value,
                   std::string_view agent) {
  const std::string key = key_of(kind, upstream, value);
  std::unique_lock lock(mutex_);
  Keys& own = by_agent_[std::string(1, static_cast<char>(kind)).append(agent)];
  std::vector<Owner>& owners = owners_[key];
  const auto known = std::find_if(owners.begin(), owners.end(),
                                  [&](const Owner& owner) { return owner.agent == agent; });
  if (known != owners.end()) {
    own.splice(own.end(), own, known->place);
    return;
  }
  owners.push_back({std::string(agent), own.insert(own.end(), key)});
  if (own.size() <= kMostPerAgent) return;
  const auto oldest = owners_.find(own.front());
  std::erase_if(oldest->second, [&](const Owner& owner) { return owner.agent == agent; });
  if (oldest->second.empty()) owners_.erase(oldest);
  own.pop_front();
}

bool Issued::may_use(Kind kind, std::string_view upstream, std::string_view value,
                     std::string_view agent) const {
  const std::string key = key_of(kind, upstream, value);
  std::shared_lock lock(mutex_);
  const auto found = owners_.find(key);
  return found == owners_.end() ||
         std::any_of(found->second.begin(), found->second.end(),
                     [&](const Owner& owner) { return owner.agent == agent; });
}

bool Issued::is_own(Kind kind, std::string_view upstream, std::string_view value,
                    std::string_view agent) const {
  const std::string key = key_of(kind, upstream, value);
  std::shared_lock lock(mutex_);
  const auto found = owners_.find(key);
  return found != owners_.end() &&
         std::any_of(found->second.begin(), found->second.end(),
                     [&](const Owner& owner) { return owner.agent == agent; });
}

namespace {

constexpr std::string_view kRelatedTask = "io.modelcontextprotocol/related-task";

bool refuse_value(Exchange& x, const char* why) {
  x.refuse(200, "session", why);
  x.refusal->rpc = mcp::Refusal{200, -32602, why, std::string(x.message->id)};
  return false;
}

bool owns_tasks(Exchange& x) {
  const mcp::Message& message = *x.message;
  std::string scratch;
  const auto may_use = [&](std::string_view task) {
    return x.worker.services().issued.may_use(Issued::Kind::kTask, x.upstream->config().name, task,
                                              x.agent_info()->name);
  };
  if (message.method.starts_with("tasks/") && !message.target.empty() && !may_use(message.target)) {
    return false;
  }
  if (!message.params || !message.params->is_object()) return true;
  if (const auto meta = message.params->find("_meta"); meta && meta->is_object()) {
    const auto related = meta->find(kRelatedTask);
    const auto task = related && related->is_object() ? related->find("taskId") : std::nullopt;
    if (task && task->is_string() && !may_use(task->text(scratch))) return false;
  }
  if (message.method != "subscriptions/listen") return true;
  const auto wanted = message.params->find("notifications");
  const auto tasks = wanted && wanted->is_object() ? wanted->find("taskIds") : std::nullopt;
  if (!tasks || !tasks->is_array()) return true;
  const auto items = tasks->items();
  for (const json::Value task : items) {
    if (task.is_string() && !may_use(task.text(scratch))) return false;
  }
  return true;
}

}  // namespace

bool owns_what_it_presents(Exchange& x) {
  const Issued& issued = x.worker.services().issued;
  const std::string_view upstream = x.upstream->config().name;
  const std::string& agent = x.agent_info()->name;
  if (!x.message) {
    const size_t count = x.head.fields.count("last-event-id");
    if (count > 1) return x.refuse(400, "malformed", "`Last-Event-ID` stands there twice");
    if (count == 0) return true;
    const std::string_view id = *x.head.fields.single("last-event-id");
    return issued.may_use(Issued::Kind::kEvent, upstream, id, agent) ||
           x.refuse(404, "session", "Session not found");
  }
  if (!owns_tasks(x)) return refuse_value(x, "Task not found");
  const auto& params = x.message->params;
  if (!params || !params->is_object()) return true;
  std::string scratch;
  for (const auto& [key, kind, why] :
       {std::tuple{"cursor", Issued::Kind::kCursor, "Invalid cursor"},
        std::tuple{"requestState", Issued::Kind::kState, "Invalid requestState"}}) {
    // The strict reader has refused keys that equal these but for case.
    const auto value = params->find(key);
    if (!value || !value->is_string()) continue;
    if (!issued.may_use(kind, upstream, value->text(scratch), agent)) return refuse_value(x, why);
  }
  return true;
}

}  // namespace reeve
