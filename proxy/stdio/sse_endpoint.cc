// See sse_endpoint.h. A session lives on the thread of its stream; messages come on any.
#include "proxy/stdio/sse_endpoint.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <deque>
#include <mutex>
#include <unordered_map>

#include "proxy/body.h"
#include "proxy/http/writer.h"
#include "proxy/join/part.h"
#include "proxy/join/seal.h"
#include "proxy/join/stream_writer.h"
#include "proxy/join/wake.h"
#include "proxy/mcp/event_stream.h"
#include "proxy/mcp/message.h"
#include "proxy/mcp/reply.h"
#include "proxy/stdio/caller.h"
#include "proxy/stops/cut.h"

namespace reeve::stdio {

// What may be under way in a session, and wait to be. A client that has more does not read answers.
constexpr size_t kMostAsked = 32, kMostWaiting = 32;
constexpr std::chrono::seconds kSignOfLife{15}, kLook{1};
constexpr std::string_view kSuffix = "/sse", kQuery = "session=";

struct SseSession : std::enable_shared_from_this<SseSession> {
  SseSession(Worker& on, std::string whose, std::string where)
      : worker(on),
        id(join::random_id()),
        agent(std::move(whose)),
        target(std::move(where)),
        most(on.services().config.limits.body_bytes),
        wake(std::make_shared<join::Wake>(on.context())) {}

  Worker& worker;  // on whose thread it lives
  const std::string id, agent, target;
  const size_t most;
  std::atomic<size_t> waiting{0}, waiting_bytes{0};

  // On the worker's thread.
  struct Message {
    std::string body, fields;
  };
  const std::shared_ptr<join::Wake> wake;
  std::shared_ptr<Caller> caller;
  std::deque<Message> messages;
  std::string out;                // events that are not written yet
  net::Stream* client = nullptr;  // null when the stream is over
  bool taking = false, over = false;

  // An event for the client. One who does not read them loses the stream.
  void put(std::string_view name, std::string_view data) {
    if (over) return;
    if (!out.empty() && out.size() + data.size() > most) {
      over = true;
      if (client) client->close(true);  // whoever writes to it waits no more
    } else {
      mcp::Event event;
      event.name = name;
      event.data = data;
      event.has_data = true;
      mcp::append_event(out, event);
    }
    wake->set();
  }
  void deliver(Message message) {
    messages.push_back(std::move(message));
    if (!std::exchange(taking, true)) net::spawn(worker.context(), take_all(shared_from_this()));
  }
  // One after the other, so that none overtakes another.
  static net::Task<void> take_all(std::shared_ptr<SseSession> self) {
    while (!self->messages.empty()) {
      Message message = std::move(self->messages.front());
      self->messages.pop_front();
      const size_t size = message.body.size();
      if (!self->over) co_await self->take(std::move(message));
      self->waiting.fetch_sub(1);
      self->waiting_bytes.fetch_sub(size);
    }
    self->taking = false;
  }
  // Leaves what is under way and ends the session at the server. It is held: a task begins later.
  static net::Task<void> finish(std::shared_ptr<SseSession> self) {
    co_await self->caller->finish(std::chrono::milliseconds(0));
  }
  net::Task<void> take(Message message) {
    const auto read = read_outgoing(message.body);
    const bool asks = read && !read->id.empty() && !read->method.empty();
    if (asks && caller->asked() >= kMostAsked) {
      put("message", mcp::error_body(read->id, 429, "too many requests of this session under way"));
      co_return;
    }
    co_await caller->take(std::move(message.body), std::move(message.fields));
  }
};

namespace {

// Those whose stream is open, of this process: any thread may be given a message for any of them.
class Sessions {
 public:
  void add(const std::shared_ptr<SseSession>& session) {
    std::lock_guard lock(mutex_);
    sessions_[session->id] = session;
  }
  void remove(const std::string& id) {
    std::lock_guard lock(mutex_);
    sessions_.erase(id);
  }
  // Nothing for another agent's, as for one that does not exist.
  std::shared_ptr<SseSession> find(std::string_view id, std::string_view agent,
                                   std::string_view target) {
    std::lock_guard lock(mutex_);
    const auto found = sessions_.find(std::string(id));
    if (found == sessions_.end()) return nullptr;
    auto session = found->second.lock();
    return session && session->agent == agent && session->target == target ? session : nullptr;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<SseSession>> sessions_;  // guarded by mutex_
};

Sessions& sessions() {
  static Sessions all;
  return all;
}

// Lines of a head that say for whom a call is made.
std::string lines_of(const join::Caller& caller) {
  std::string out = fmt::format("Host: {}\r\n", caller.authority);
  for (const auto& [name, value] : caller.fields) out += fmt::format("{}: {}\r\n", name, value);
  return out;
}

std::shared_ptr<Caller> caller_of(Exchange& x, SseSession& session) {
  const join::Caller who(x);
  Worker* const worker = &x.worker;
  return std::make_shared<Caller>(Caller::Means{
      x.worker.context(),
      [worker, peer = who.peer](net::Pending&) -> net::Task<std::optional<net::Stream>> {
        co_return worker->open_inner(peer);
      },
      session.target, lines_of(who), session.most, "reeve",
      [weak = session.weak_from_this()](std::string_view message) {
        if (const auto alive = weak.lock()) alive->put("message", message);
      },
      [](std::string_view) {}});
}

bool accepts_events(const http::Fields& fields) {
  return std::any_of(fields.list.begin(), fields.list.end(), [](const http::Field& field) {
    return http::iequals(field.name, "accept") &&
           (field.value.find("text/event-stream") != std::string_view::npos ||
            field.value.find("*/*") != std::string_view::npos);
  });
}

}  // namespace

bool is_sse_endpoint(const Exchange& x) {
  std::string_view path = x.head.path;
  if (!path.ends_with(kSuffix) || path.front() != '/') return false;
  path.remove_suffix(kSuffix.size());
  if (path == "/mcp") return true;
  const Upstream* upstream = path.empty() ? nullptr : x.worker.find_upstream(path.substr(1));
  return upstream != nullptr && upstream->config().protocol == Protocol::kMcp;
}

net::Task<bool> SseCall::read() {
  x_.call.kind = policy::Kind::kMethod;
  x_.call.time = x_.time;
  x_.call.action = x_.head.method;
  target_ = x_.head.path.substr(0, x_.head.path.size() - kSuffix.size());
  x_.upstream = x_.worker.find_upstream(std::string_view(target_).substr(1));
  if (x_.upstream) x_.call.upstream = x_.upstream->config().name;
  if (x_.head.method == "POST") co_return co_await take_message();
  if (x_.head.method != "GET") {
    co_return x_.refuse(405, "malformed", "this endpoint takes GET and POST");
  }
  if (!x_.body_complete) co_return x_.refuse(400, "malformed", "GET has no body here");
  if (!accepts_events(x_.head.fields)) {
    co_return x_.refuse(406, "malformed", "GET needs `Accept: text/event-stream`");
  }
  co_return may_open();
}

// Whoever may use the upstream, or any that is joined; each call is decided on its own.
bool SseCall::may_open() {
  if (!not_stopped(x_)) return false;
  bool any = false;
  for (const UpstreamConfig& each : x_.worker.services().config.upstreams) {
    if (each.protocol != Protocol::kMcp || (x_.upstream && each.name != x_.call.upstream)) continue;
    const auto decision = x_.snapshot->policy->may_use(*x_.agent, each.name, x_.time);
    if (!any || decision.allowed()) x_.decision = decision;
    any = true;
    if (decision.allowed()) return true;
  }
  if (!any) return x_.refuse(404, "no-upstream", "reeve.yaml has no MCP upstream to join");
  return x_.refuse_or_overlook(403, policy::to_string(x_.decision.reason),
                               "Denied: no rule lets this agent use it");
}

net::Task<bool> SseCall::take_message() {
  const std::string_view query = x_.head.query;
  auto session = query.starts_with(kQuery)
                     ? sessions().find(query.substr(kQuery.size()), x_.agent_info()->name, target_)
                     : nullptr;
  if (!session) co_return x_.refuse(404, "session", "Session not found");
  if (const auto why = mcp::Reader::check_post_fields(x_.head.fields)) {
    co_return x_.refuse(why->http_status, "malformed", why->message);
  }
  if (!co_await read_body(x_)) co_return false;
  const size_t size = x_.connection.work->body.size();
  const size_t bytes = session->waiting_bytes.fetch_add(size);
  if (session->waiting.fetch_add(1) >= kMostWaiting ||
      (bytes > 0 && bytes + size > session->most)) {
    session->waiting.fetch_sub(1);
    session->waiting_bytes.fetch_sub(size);
    co_return x_.refuse(429, "limit", "too many messages of this session wait to be taken");
  }
  session_ = std::move(session);
  co_return true;
}

net::Task<void> SseCall::run() {
  if (session_) co_return co_await accept();
  co_await stream();
}

net::Task<void> SseCall::accept() {
  SseSession::Message message{x_.connection.work->body, lines_of(join::Caller(x_))};
  net::asio::post(session_->worker.context(),
                  [session = session_, message = std::move(message)]() mutable {
                    session->deliver(std::move(message));
                  });
  std::string& out = x_.connection.work->out;
  out.clear();
  x_.status = 202;
  http::write_response(out, 202, {}, {}, {}, x_.keep_alive, false);
  x_.answered = true;
  if (!co_await x_.connection.stream.write(out)) x_.keep_alive = false;
}

net::Task<void> SseCall::stream() {
  const auto session = std::make_shared<SseSession>(x_.worker, x_.agent_info()->name, target_);
  if (session->id.empty()) {  // no randomness: an id that could be guessed is none
    x_.keep_alive = false;
    x_.connection.stream.close(true);
    co_return;
  }
  session->caller = caller_of(x_, *session);
  x_.worker.set_phase(x_.connection, Phase::kStream, {});
  join::StreamWriter writer(x_);
  http::Fields fields;
  fields.list = {{"Content-Type", "text/event-stream"},
                 {"Cache-Control", "no-cache"},
                 {"X-Accel-Buffering", "no"}};
  if (!co_await writer.head(200, fields)) co_return;
  const struct Open {
    explicit Open(const std::shared_ptr<SseSession>& session) : id(session->id) {
      sessions().add(session);
    }
    ~Open() { sessions().remove(id); }
    const std::string id;
  } open(session);
  session->client = &x_.connection.stream;
  session->put("endpoint", fmt::format("{}{}?{}{}", target_, kSuffix, kQuery, session->id));
  Steady spoken = steady_now();
  for (bool goes_on = true; goes_on;) {
    const bool ends = x_.worker.services().draining || session->over;
    if (steady_now() - spoken >= kSignOfLife) session->out += ":\n\n";
    if (!session->out.empty() || ends) {
      spoken = steady_now();
      goes_on = co_await writer.write(std::exchange(session->out, {}), ends) && !ends;
      continue;
    }
    co_await session->wake->wait(steady_now() + kLook, &x_.connection);
    if (x_.connection.agent_gone) break;
  }
  if (x_.connection.agent_gone) x_.keep_alive = false;
  session->over = true;
  session->client = nullptr;
  net::spawn(x_.worker.context(), SseSession::finish(session));
}

}  // namespace reeve::stdio
