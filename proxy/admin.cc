// A small HTTP/1.1 server for few callers: heads by the same strict parser as the agents' side,
// small bodies where they are meant, one answer at a time. Tested end to end by tests/e2e.
#include "proxy/admin.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cstring>

#include "policy/json.h"
#include "proxy/clock.h"
#include "proxy/console/assets.h"
#include "proxy/console/live.h"
#include "proxy/console/same_origin.h"
#include "proxy/http/parser.h"
#include "proxy/http/writer.h"
#include "proxy/identify.h"
#include "proxy/log.h"
#include "proxy/net/stream.h"
#include "proxy/version.h"

namespace reeve {
namespace {

constexpr size_t kHeadBytes = 8 * 1024;
constexpr int kBacklog = 64;
constexpr int kFailuresPerSecond = 5;
constexpr std::chrono::seconds kReadLimit{10};
constexpr std::chrono::milliseconds kFailurePause{250};

bool same_hash(const policy::Sha256& a, const policy::Sha256& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string problem(int status, std::string_view detail) {
  std::string out =
      fmt::format("{{\"type\":\"about:blank\",\"title\":\"{}\",\"status\":{},\"detail\":",
                  http::reason_phrase(status), status);
  json::append_string(out, detail);
  return out + "}";
}

constexpr std::string_view kSession = "/v1/session";
constexpr std::string_view kLive = "/v1/live";
constexpr std::chrono::seconds kSilence{5};    // of an event stream, then a comment is sent
constexpr std::chrono::seconds kSlowRead{30};  // a page that takes nothing for so long is gone
constexpr size_t kBodyBytes = 16 * 1024;
constexpr size_t kDrainedBytes = 256 * 1024;

// `begun` is what came with the head. Nothing where the body is too large, malformed or cut short.
// What is too large is read for a while all the same, so that the answer reaches who sends it.
net::Task<std::optional<std::string>> read_body(net::Stream& stream, const http::RequestHead& head,
                                                std::string begun) {
  http::BodyDecoder decoder;
  decoder.start(head.framing, head.content_length);
  std::string body, rest = std::move(begun);
  size_t received = 0;
  bool done = head.framing == http::Framing::kNone ||
              (head.framing == http::Framing::kLength && head.content_length == 0);
  while (!done) {
    for (size_t used = 0; !done && used < rest.size();) {
      const http::BodyDecoder::Step step = decoder.step(std::string_view(rest).substr(used));
      if (step.fault) co_return std::nullopt;
      received += step.data.size();
      if (received <= kBodyBytes) body += step.data;
      used += step.consumed;
      done = step.done;
      if (step.consumed == 0) break;
    }
    if (done || received > kDrainedBytes) break;
    char piece[4096];
    net::ErrorCode ec;
    const size_t n = co_await stream.read_some(piece, sizeof piece, ec);
    if (n == 0) co_return std::nullopt;
    rest.assign(piece, n);
  }
  if (received > kBodyBytes) co_return std::nullopt;
  co_return body;
}

bool only_reads(const http::RequestHead& head) {
  return head.method == "GET" || head.method == "HEAD";
}

// The token in `{"token": "…"}`; nothing for another body.
std::optional<std::string> read_token(const std::string& body) {
  json::Parser parser;
  const auto value = parser.parse(body);
  if (!value || !value->is_object() || value->size() != 1) return std::nullopt;
  const auto token = value->find("token");
  if (!token || !token->is_string()) return std::nullopt;
  std::string scratch;
  return std::string(token->text(scratch));
}

}  // namespace

struct Admin::Answer {
  int status = 200;
  std::string_view type = "application/json";
  std::string body;
  std::span<const http::Field> fields = console::data_fields();
  std::string etag, cookie;  // empty: not said

  void write(std::string& out, bool keep_alive, bool head_request) const {
    std::vector<http::Field> all(fields.begin(), fields.end());
    if (!etag.empty()) all.push_back({"ETag", etag});
    if (!cookie.empty()) all.push_back({"Set-Cookie", cookie});
    http::write_response(out, status, type, body, all, keep_alive, head_request);
  }
};

Admin::Answer Admin::refuse(int status, std::string_view detail) {
  Answer answer;
  answer.status = status;
  answer.type = "application/problem+json";
  answer.body = problem(status, detail);
  return answer;
}

Admin::Admin(const AdminConfig& config, AdminViews views, size_t most_connections,
             net::asio::io_context& context)
    : config_(config),
      views_(std::move(views)),
      most_connections_(most_connections),
      context_(context),
      acceptor_(context),
      cookie_name_(console::cookie_name(config.address)) {}

Admin::~Admin() = default;

Result<bool> Admin::listen() {
  net::ErrorCode ec;
  const auto address = net::asio::ip::make_address(config_.address.host, ec);
  const net::asio::ip::tcp::endpoint endpoint(address, config_.address.port);
  if (!ec) acceptor_.open(endpoint.protocol(), ec);
  if (!ec) acceptor_.set_option(net::asio::socket_base::reuse_address(true), ec);
  if (!ec) acceptor_.bind(endpoint, ec);
  if (!ec) acceptor_.listen(kBacklog, ec);
  if (ec) {
    return Error{
        fmt::format("error: `admin.address` cannot listen on {}:{}: {}; stop what uses the "
                    "address or choose another",
                    config_.address.host, config_.address.port, ec.message())};
  }
  return true;
}

void Admin::start() {
  net::spawn(context_, accept(), [](std::exception_ptr failure) {
    if (failure) log(LogLevel::kError, "the admin listener ended");
  });
}

void Admin::stop() {
  net::ErrorCode ignored;
  acceptor_.close(ignored);
}

net::Task<void> Admin::accept() {
  while (acceptor_.is_open()) {
    net::ErrorCode ec;
    net::Socket socket(context_);
    co_await acceptor_.async_accept(socket, net::asio::redirect_error(net::kAwait, ec));
    if (!acceptor_.is_open() || ec == net::asio::error::operation_aborted) co_return;
    if (ec) {  // out of file descriptors, most likely
      net::Timer pause(context_, std::chrono::milliseconds(50));
      co_await pause.async_wait(net::asio::redirect_error(net::kAwait, ec));
      continue;
    }
    // At the limit the oldest makes room: whoever holds connections open locks nobody out.
    if (streams_.size() >= most_connections_) streams_.front()->close();
    auto stream = std::make_shared<net::Stream>(std::move(socket));
    streams_.push_back(stream);
    net::spawn(context_, serve(stream),
               [this, stream](std::exception_ptr) { streams_.remove(stream); });
  }
}

// The stream is shared with the timer's handler, which may run after the session has ended.
net::Task<void> Admin::serve(std::shared_ptr<net::Stream> stream) {
  net::Timer limit(context_);
  http::RequestParser parser({kHeadBytes});
  std::string buffer(kHeadBytes + 1024, '\0');
  size_t filled = 0;
  for (bool keep = true; keep && acceptor_.is_open();) {
    limit.expires_after(kReadLimit);
    limit.async_wait([stream](net::ErrorCode ec) {
      if (!ec) stream->close();
    });
    parser.reset();
    http::Progress progress = http::Progress::kMore;
    while ((progress = parser.parse({buffer.data(), filled})) == http::Progress::kMore) {
      net::ErrorCode ec;
      if (filled == buffer.size()) co_return;
      const size_t n =
          co_await stream->read_some(buffer.data() + filled, buffer.size() - filled, ec);
      if (n == 0) co_return;
      filled += n;
    }
    Answer reply;
    bool head_request = false;
    keep = progress == http::Progress::kDone && parser.head().keep_alive;
    if (progress == http::Progress::kFault) {
      reply = refuse(parser.fault().status, parser.fault().detail);
    } else if (parser.head().path == kLive && parser.head().method == "GET") {
      if (auto refusal = refuse_caller(parser.head())) {
        reply = std::move(*refusal);
      } else if (auto watcher = views_.watch()) {
        co_return co_await serve_live(stream, limit, parser.head(), std::move(watcher));
      } else {
        reply = refuse(503, "as many pages watch as may");
      }
      keep = false;
    } else if (const auto* serves = server_of(parser.head().path);
               serves != nullptr || parser.head().path == kSession) {
      const http::RequestHead& head = parser.head();
      head_request = head.method == "HEAD";
      if (head.framing != http::Framing::kNone) keep = false;  // what is behind it is the body's
      auto body = co_await read_body(
          *stream, head, {buffer.data() + parser.head_bytes(), filled - parser.head_bytes()});
      limit.cancel();  // that was for reading it; a stop or a search may take longer
      reply = !body    ? refuse(413, "a body here is 16 KiB at most")
              : serves ? co_await answer_by(*serves, head, std::move(*body))
                       : answer_session(head, *body);
    } else {
      const http::RequestHead& head = parser.head();
      head_request = head.method == "HEAD";
      if (head.framing != http::Framing::kNone) keep = false;  // bodies are not read here
      reply = answer(head);
    }
    std::string out;
    reply.write(out, keep, head_request);
    if (reply.status == 401 || reply.status == 429) {
      // Guessing is slow, and right guesses are as slow to find as wrong ones.
      net::ErrorCode ec;
      net::Timer pause(context_, kFailurePause);
      co_await pause.async_wait(net::asio::redirect_error(net::kAwait, ec));
    }
    limit.expires_after(kReadLimit);  // for the write, too
    limit.async_wait([stream](net::ErrorCode ec) {
      if (!ec) stream->close();
    });
    if (!co_await stream->write(out) || !keep) break;
    filled -= parser.head_bytes();
    std::memmove(buffer.data(), buffer.data() + parser.head_bytes(), filled);
  }
  limit.cancel();
  stream->shutdown_send();
}

// A web page can make a name point anywhere, so only the own address and configured names are let
// in. A listener on all addresses has many: any in figures, which cannot be rebound.
bool Admin::host_is_own(std::string_view authority) const {
  std::string_view host = authority;
  if (!host.empty() && host.front() == '[') {
    host = host.substr(1, host.find(']') - 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  net::ErrorCode ec;
  const auto own_address = net::asio::ip::make_address(config_.address.host, ec);
  if (own_address.is_loopback() && http::iequals(host, "localhost")) return true;
  const auto address = net::asio::ip::make_address(std::string(host), ec);
  if (!ec && (address == own_address || own_address.is_unspecified() ||
              (address.is_loopback() && own_address.is_loopback()))) {
    return true;
  }
  return std::any_of(config_.hosts.begin(), config_.hosts.end(), [&](const std::string& own) {
    return http::iequals(own, host) || http::iequals(own, authority);
  });
}

// Events until either side has had enough. The page must go on being somebody's.
net::Task<void> Admin::serve_live(std::shared_ptr<net::Stream> stream, net::Timer& limit,
                                  const http::RequestHead& head,
                                  std::shared_ptr<console::Watcher> watcher) {
  const http::Fields fields;
  std::vector<http::Field> extra(console::data_fields().begin(), console::data_fields().end());
  extra.push_back({"Content-Type", "text/event-stream"});
  std::string out;
  http::write_response_head(out, 200, {}, fields, {}, extra, http::Framing::kUntilClose, 0, false,
                            head.minor_version);
  out += "retry: 2000\n\n";
  // `head` lives in the buffer of the caller, which waits here.
  while (acceptor_.is_open() && caller_of(head.fields) && !stream->hung_up()) {
    limit.expires_after(kSlowRead);
    limit.async_wait([stream](net::ErrorCode ec) {
      if (!ec) stream->close();
    });
    if (!co_await stream->write(out)) break;
    limit.cancel();
    co_await watcher->wait(kSilence);
    out = watcher->take();
    if (out.empty()) out = ":\n\n";
  }
  limit.cancel();
  stream->shutdown_send();
}

std::optional<AdminCaller> Admin::caller_by_token(std::string_view token) const {
  const policy::Sha256 hash = sha256(token);
  std::optional<AdminCaller> caller;
  if (config_.token_sha256 && same_hash(*config_.token_sha256, hash)) {
    caller = AdminCaller{AdminRole::kOperator, {}};
  }
  for (const Person& person : config_.people) {
    if (same_hash(person.token_sha256, hash)) caller = AdminCaller{person.role, person.name};
  }
  return caller;
}

std::optional<AdminCaller> Admin::caller_of(const http::Fields& fields) {
  if (fields.count("authorization") > 0) {
    const auto field = fields.single("authorization");
    std::string scratch;
    const auto token = field ? bearer_token(*field, false, scratch) : std::nullopt;
    return token ? caller_by_token(*token) : std::nullopt;
  }
  const auto id = console::cookie_of(fields, cookie_name_);
  const AdminCaller* const found = id ? sessions_.find(*id, steady_now()) : nullptr;
  return found ? std::optional(*found) : std::nullopt;
}

std::optional<Admin::Answer> Admin::refuse_stranger(const http::RequestHead& head) const {
  if (!host_is_own(head.authority)) {
    return refuse(403, "Host is not this sidecar's; add the name to admin.hosts");
  }
  const console::From from = console::from_page(head);
  if (from == console::From::kOtherPage) return refuse(403, "requests from web pages are refused");
  // A browser sends its cookie by itself: what changes something must come from the own page.
  if (from != console::From::kOwnPage && !only_reads(head) && head.fields.count("cookie") > 0) {
    return refuse(403, "with a cookie, changes need the Origin of the console's own page");
  }
  return std::nullopt;
}

std::optional<Admin::Answer> Admin::refuse_caller(const http::RequestHead& head) {
  if (auto refusal = refuse_stranger(head)) return refusal;
  if (!caller_of(head.fields)) return failed_sign_in();
  return std::nullopt;
}

Admin::Answer Admin::failed_sign_in() {
  const auto second =
      std::chrono::duration_cast<std::chrono::seconds>(steady_now().time_since_epoch()).count();
  if (second != failure_second_) {
    failure_second_ = second;
    failures_ = 0;
  }
  if (++failures_ > kFailuresPerSecond) return refuse(429, "too many failed sign-ins");
  return refuse(
      401, "send the admin token or a person's token as `Authorization: Bearer`, or sign in at /");
}

const AdminViews::Serve* Admin::server_of(std::string_view path) const {
  const auto is_below = [path](std::string_view root) {
    return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
  };
  if (is_below("/v1/approvals")) return &views_.approvals;
  if (is_below("/v1/agents") || is_below("/v1/stops")) return &views_.agents;
  if (path == "/v1/audit" || path == "/v1/activity") return &views_.record;
  return nullptr;
}

net::Task<Admin::Answer> Admin::answer_by(const AdminViews::Serve& serve,
                                          const http::RequestHead& head, std::string body) {
  if (auto refusal = refuse_stranger(head)) co_return std::move(*refusal);
  const auto caller = caller_of(head.fields);
  if (!caller) co_return failed_sign_in();
  AdminReply reply =
      co_await serve({std::string(head.method), std::string(head.path), std::string(head.query),
                      std::move(body), caller->person, caller->role, !config_.people.empty()});
  if (reply.status >= 400) co_return refuse(reply.status, reply.body);
  Answer answer;
  answer.status = reply.status;
  answer.body = std::move(reply.body);
  co_return answer;
}

// Who has signed in, signing in, signing out.
Admin::Answer Admin::answer_session(const http::RequestHead& head, const std::string& body) {
  if (auto refusal = refuse_stranger(head)) return std::move(*refusal);
  if (head.method == "POST") return sign_in(head, body);
  Answer answer;
  if (head.method == "DELETE") {
    const auto id = console::cookie_of(head.fields, cookie_name_);
    if (id) sessions_.close(*id);
    answer.cookie = console::set_cookie(cookie_name_, {}, console::is_secure_page(head));
    answer.body = "{\"signed_in\":false}";
    return answer;
  }
  if (!only_reads(head)) return refuse(405, "a session is read, made by POST, ended by DELETE");
  const auto caller = caller_of(head.fields);
  const bool shows_nothing =
      !console::cookie_of(head.fields, cookie_name_) && head.fields.count("authorization") == 0;
  if (!caller && !shows_nothing) return failed_sign_in();
  answer.body = "{\"signed_in\":false}";
  if (!caller) return answer;
  static constexpr std::string_view kRoles[] = {"viewer", "approver", "operator"};
  answer.body =
      fmt::format("{{\"signed_in\":true,\"role\":\"{}\",\"people\":{},\"version\":\"{}\"",
                  kRoles[static_cast<size_t>(caller->role)], !config_.people.empty(), kVersion);
  if (!caller->person.empty()) {
    answer.body += ",\"person\":";
    json::append_string(answer.body, caller->person);
  }
  answer.body += '}';
  return answer;
}

Admin::Answer Admin::sign_in(const http::RequestHead& head, const std::string& body) {
  if (console::from_page(head) != console::From::kOwnPage) {
    return refuse(403, "one signs in on the console's own page; programs send their token");
  }
  const auto token = read_token(body);
  if (!token) return refuse(400, "the body may say {\"token\": TOKEN}");
  auto caller = caller_by_token(*token);
  if (!caller) return failed_sign_in();
  // The session before, of the same browser, is over.
  if (const auto id = console::cookie_of(head.fields, cookie_name_)) sessions_.close(*id);
  Answer answer;
  answer.cookie =
      console::set_cookie(cookie_name_, sessions_.open(std::move(*caller), steady_now()),
                          console::is_secure_page(head));
  answer.body = "{\"signed_in\":true}";
  return answer;
}

std::optional<Admin::Answer> Admin::answer_page(const http::RequestHead& head) {
  const console::Asset* const asset = console::find_asset(head.path);
  if (asset == nullptr) return std::nullopt;
  Answer answer;
  answer.type = asset->type;
  answer.fields = console::page_fields();
  answer.etag = asset->etag;
  if (console::has_it(head.fields, *asset)) {
    answer.status = 304;
  } else {
    answer.body = asset->bytes;
  }
  return answer;
}

Admin::Answer Admin::answer(const http::RequestHead& head) {
  if (auto refusal = refuse_stranger(head)) return std::move(*refusal);
  if (!only_reads(head)) return refuse(405, "this is read with GET");
  const std::string_view path = head.path;
  if (auto page = answer_page(head)) return std::move(*page);
  if (path == "/livez") return {200, "text/plain", "ok\n", {}, {}, {}};
  if (path == "/readyz") {
    const auto why = views_.not_ready();
    return {why ? 503 : 200, "text/plain", why.value_or("ok") + "\n", {}, {}, {}};
  }
  const bool is_open = path == "/metrics" && !config_.metrics_need_token;
  if (!is_open && !caller_of(head.fields)) return failed_sign_in();
  if (path == "/metrics") {
    return {200, "text/plain; version=0.0.4; charset=utf-8", views_.metrics(), {}, {}, {}};
  }
  const std::pair<std::string_view, const std::function<std::string()>&> shown[] = {
      {"/v1/budgets", views_.budgets},
      {"/v1/policy", views_.policy},
      {"/v1/rules", views_.rules},
      {"/v1/upstreams", views_.upstreams},
  };
  for (const auto& [where, json] : shown) {
    if (path != where) continue;
    Answer answer;
    answer.body = json();
    return answer;
  }
  return refuse(
      404,
      "known are /, /livez, /readyz, /metrics, /v1/agents, /v1/budgets, /v1/policy, "
      "/v1/rules, /v1/upstreams, /v1/approvals, /v1/stops, /v1/audit, /v1/activity, /v1/live, "
      "/v1/session");
}

}  // namespace reeve
