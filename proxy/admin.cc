// A small HTTP/1.1 server for few callers: heads by the same strict parser as the agents' side, no
// request bodies, one answer at a time. Tested end to end by tests/e2e.
#include "proxy/admin.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cstring>

#include "policy/json.h"
#include "proxy/clock.h"
#include "proxy/http/parser.h"
#include "proxy/http/writer.h"
#include "proxy/identify.h"
#include "proxy/log.h"
#include "proxy/net/stream.h"

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

}  // namespace

struct Admin::Answer {
  int status = 200;
  std::string_view type = "application/json";
  std::string body;
};

Admin::Answer Admin::refuse(int status, std::string_view detail) {
  return Answer{status, "application/problem+json", problem(status, detail)};
}

Admin::Admin(const AdminConfig& config, AdminViews views, size_t most_connections,
             net::asio::io_context& context)
    : config_(config),
      views_(std::move(views)),
      most_connections_(most_connections),
      context_(context),
      acceptor_(context) {}

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
      reply = {parser.fault().status, "application/problem+json",
               problem(parser.fault().status, parser.fault().detail)};
    } else if (const auto* serves = server_of(parser.head().path)) {
      const http::RequestHead& head = parser.head();
      head_request = head.method == "HEAD";
      if (head.framing != http::Framing::kNone) keep = false;  // what is behind it is the body's
      auto body = co_await read_body(
          *stream, head, {buffer.data() + parser.head_bytes(), filled - parser.head_bytes()});
      reply = body ? co_await answer_by(*serves, head, std::move(*body))
                   : refuse(413, "a body here is 16 KiB at most");
    } else {
      const http::RequestHead& head = parser.head();
      head_request = head.method == "HEAD";
      if (head.framing != http::Framing::kNone) keep = false;  // bodies are not read here
      reply = answer(head);
    }
    std::string out;
    http::write_response(out, reply.status, reply.type, reply.body, {}, keep, head_request);
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

std::optional<Admin::Caller> Admin::caller_of(const http::Fields& fields) const {
  const auto field = fields.single("authorization");
  if (!field) return std::nullopt;
  std::string scratch;
  const auto token = bearer_token(*field, false, scratch);
  if (!token) return std::nullopt;
  const policy::Sha256 hash = sha256(*token);
  std::optional<Caller> caller;
  if (config_.token_sha256 && same_hash(*config_.token_sha256, hash)) {
    caller = Caller{AdminRole::kOperator, {}};
  }
  for (const Person& person : config_.people) {
    if (same_hash(person.token_sha256, hash)) caller = Caller{person.role, person.name};
  }
  return caller;
}

std::optional<Admin::Answer> Admin::refuse_stranger(const http::RequestHead& head) {
  if (!host_is_own(head.authority)) {
    return refuse(403, "Host is not this sidecar's; add the name to admin.hosts");
  }
  if (head.fields.count("origin") > 0) return refuse(403, "requests from web pages are refused");
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
  return refuse(401, "send the admin token or a person's token as `Authorization: Bearer`");
}

const AdminViews::Serve* Admin::server_of(std::string_view path) const {
  const auto is_below = [path](std::string_view root) {
    return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
  };
  if (is_below("/v1/approvals")) return &views_.approvals;
  if (is_below("/v1/agents") || is_below("/v1/stops")) return &views_.agents;
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
  if (reply.status < 400) co_return Answer{reply.status, "application/json", std::move(reply.body)};
  co_return refuse(reply.status, reply.body);
}

Admin::Answer Admin::answer(const http::RequestHead& head) {
  if (auto refusal = refuse_stranger(head)) return std::move(*refusal);
  if (head.method != "GET" && head.method != "HEAD") {
    return refuse(405, "this version of the admin side is read with GET");
  }
  const std::string_view path = head.path;
  if (path == "/livez") return {200, "text/plain", "ok\n"};
  if (path == "/readyz") {
    const auto why = views_.not_ready();
    if (!why) return {200, "text/plain", "ok\n"};
    return {503, "text/plain", *why + "\n"};
  }
  const bool is_open = path == "/metrics" && !config_.metrics_need_token;
  if (!is_open && !caller_of(head.fields)) return failed_sign_in();
  if (path == "/metrics")
    return {200, "text/plain; version=0.0.4; charset=utf-8", views_.metrics()};
  if (path == "/v1/budgets") return {200, "application/json", views_.budgets()};
  if (path == "/v1/policy") return {200, "application/json", views_.policy()};
  if (path == "/v1/upstreams") return {200, "application/json", views_.upstreams()};
  return refuse(404,
                "known are /livez, /readyz, /metrics, /v1/agents, /v1/budgets, /v1/policy, "
                "/v1/upstreams, /v1/approvals, /v1/stops");
}

}  // namespace reeve
