// A loop one can read aloud: read a head, handle the call, make room for the next.
// Tested end to end by tests/e2e.
#include "proxy/session.h"

#include <cstring>

#include "proxy/enforcer.h"
#include "proxy/exchange.h"
#include "proxy/log.h"
#include "proxy/record.h"
#include "proxy/reply.h"
#include "proxy/tls/client.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

constexpr std::chrono::milliseconds kLinger{1000};

// Reads until a head is whole. The parser's views point into the connection's buffer. Whoever has
// sent nothing yet holds no workspace.
net::Task<http::Progress> read_head(Worker& worker, Connection& c) {
  const LimitsConfig& limits = worker.services().config.limits;
  worker.set_phase(c, Phase::kIdle, limits.idle);
  for (bool first = true;; first = false) {
    if (c.begin != c.end) {
      const http::Progress progress = c.work->parser.parse(c.unread());
      if (progress != http::Progress::kMore) co_return progress;
      if (c.phase == Phase::kIdle) worker.set_phase(c, Phase::kHead, limits.head);
    } else if (first && !c.inner && worker.services().draining) {
      co_return http::Progress::kMore;
    }
    if (!c.work) c.work = worker.workspaces().take();
    if (c.end == c.work->capacity)
      co_return http::Progress::kMore;  // cannot be: the parser's limit is lower
    net::ErrorCode ec;
    size_t n = 0;
    char* const room = c.work->buffer.get() + c.end;
    if (!c.stream.read_at_once(room, c.work->capacity - c.end, n, ec)) {
      if (c.begin == c.end) worker.workspaces().give(std::move(c.work));
      if (co_await c.stream.wait_to_read() || c.timed_out) co_return http::Progress::kMore;
      continue;
    }
    // A read that the deadline's cancel came too late for must not outlive it.
    if (n == 0 || c.timed_out) co_return http::Progress::kMore;
    c.end += n;
  }
}

// Bytes that are no request are refused and recorded all the same.
void refuse_malformed(Worker& worker, Connection& c, const http::Fault& fault) {
  const policy::Time now = wall_now();
  const CallId id = worker.ids().next(now);
  c.work->out.clear();
  append_fault(c.work->out, fault, id);
  record_malformed(worker, c, id, now, fault);
  c.stream.write_now(c.work->out);
}

// Lets the agent read the last answer: a close with unread bytes in the kernel would reset it.
net::Task<void> linger(Worker& worker, Connection& c) {
  c.stream.shutdown_send();
  worker.set_phase(c, Phase::kLinger, kLinger);
  if (!c.work) c.work = worker.workspaces().take();
  for (;;) {
    net::ErrorCode ec;
    if (co_await c.stream.read_some(c.work->buffer.get(), c.work->capacity, ec) == 0) break;
    if (c.timed_out) break;
  }
}

constexpr std::string_view kPlainOnTls =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 58\r\n"
    "Connection: close\r\n\r\nThis listener speaks TLS; use https:// instead of http://\n";

// The first byte of a TLS handshake's record (RFC 8446, 5.1); none of a request's.
constexpr int kHandshakeRecord = 22;

// Whether the connection goes on, in TLS.
net::Task<bool> secure(Worker& worker, Connection& c, const tls::Credentials& credentials) {
  worker.set_phase(c, Phase::kHandshake, worker.services().config.limits.head);
  Transport& transport = worker.services().transport;
  const int first = co_await c.stream.peek();
  if (first < 0) {
    // A probe that comes and goes is no handshake that failed; one that holds its place is.
    if (c.timed_out) transport.handshake_failed(c.listener.name, "a client said nothing in time");
    co_return false;
  }
  if (first != kHandshakeRecord) {
    transport.handshake_failed(c.listener.name, "a client does not speak TLS");
    c.stream.write_now(kPlainOnTls);
    co_await linger(worker, c);
    co_return false;
  }
  tls::Ssl ssl = tls::start_server(credentials.context());
  const auto shaken = co_await c.stream.handshake(std::move(ssl), {});
  if (!shaken) {
    transport.handshake_failed(c.listener.name, shaken.error().message);
    co_return false;
  }
  if (x509_st* certificate = c.stream.peer_certificate()) c.svid = tls::read_svid(certificate);
  co_return true;
}

}  // namespace

net::Task<void> run_session(Worker& worker, std::shared_ptr<Connection> connection) {
  Connection& c = *connection;
  const tls::Credentials* credentials = worker.services().transport.listener(c.listener.name);
  const bool shakes = credentials && !c.inner;
  if (shakes && !co_await secure(worker, c, *credentials)) co_return c.stream.close();
  for (;;) {
    if (c.work) c.work->parser.reset();
    const http::Progress progress = co_await read_head(worker, c);
    if (progress == http::Progress::kMore) {
      if (c.timed_out && c.phase == Phase::kHead) {
        refuse_malformed(worker, c, {408, "the request's head took too long"});
      }
      break;
    }
    if (progress == http::Progress::kFault) {
      refuse_malformed(worker, c, c.work->parser.fault());
      co_await linger(worker, c);
      break;
    }
    c.begin += c.work->parser.head_bytes();
    Exchange exchange(worker, c, c.work->parser.head());
    {
      const Turn::Call under_way(worker.turn());
      c.stopped = false;
      c.exchange = &exchange;
      co_await handle(exchange);
      c.exchange = nullptr;
    }
    c.work->trim();
    if (!exchange.keep_alive) {
      if (c.stream.is_open() && !c.agent_gone) co_await linger(worker, c);
      break;
    }
    // What is left belongs to the next request: to the front with it.
    const size_t left = c.end - c.begin;
    char* const front = c.work->buffer.get();
    if (left > 0 && c.begin > 0) std::memmove(front, front + c.begin, left);
    c.begin = 0;
    c.end = left;
  }
  c.stream.close();
  c.begin = c.end = 0;
  if (c.work) worker.workspaces().give(std::move(c.work));
}

}  // namespace reeve
