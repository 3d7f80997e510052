// Forwarding: connect, write a head of our own, pump the body up, relay the answer down.
//
// What was judged is what is sent: an MCP message as the bytes that were read, a path in the form
// that rules matched. Only what is idempotent, or was never sent, is tried a second time. The parts
// of the answer are in relay.cc. Tested end to end by tests/e2e.
#include "proxy/forward.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>

#include "proxy/body.h"
#include "proxy/http/writer.h"
#include "proxy/log.h"
#include "proxy/relay.h"
#include "proxy/reply.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

constexpr uint64_t kUploadBytesPerSecond = 64 * 1024;

bool idempotent(std::string_view method) {  // RFC 9110, 9.2.2
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" ||
         method == "DELETE";
}

// Streams the request's body upstream beside the answer, which may begin before the body ends.
class Upload {
 public:
  Upload(Exchange& x, UpstreamConnection& to) : x_(x), to_(to), ended_(x.worker.context()) {}

  void start() {
    running_ = true;
    ended_.expires_at(Steady::max());
    net::asio::co_spawn(x_.worker.context().get_executor(), run(), [this](std::exception_ptr) {
      running_ = false;
      ended_.cancel();
    });
  }

  // Waits for the end of the upload; one that the answer has overtaken is given up.
  net::Task<void> finish() {
    if (running_ && !whole_) {
      given_up_ = true;
      to_.stream.close(true);
      net::ErrorCode ignored;
      x_.connection.stream.socket().cancel(ignored);
    }
    while (running_) {
      net::ErrorCode ignored;
      co_await ended_.async_wait(net::asio::redirect_error(net::kAwait, ignored));
    }
  }

  const http::Fault& fault() const { return fault_; }

 private:
  net::Task<void> run() {
    Connection& c = x_.connection;
    const Steady start = steady_now();
    const auto limit = x_.worker.services().config.limits.body;
    c.uploading = true;
    c.upload_deadline = start + limit;
    const bool sent = co_await pump([&](uint64_t bytes) {
      c.upload_deadline = start + limit + std::chrono::seconds(bytes / kUploadBytesPerSecond);
    });
    c.uploading = false;
    whole_ = sent;
    if (c.phase == Phase::kUpstream) c.deadline = steady_now() + x_.upstream->config().timeout;
    if (whole_) c.timed_out = false;  // the deadline was the upload's, and it was met just so
  }

  template <class Progressed>
  net::Task<bool> pump(Progressed progressed) {
    const bool chunked = x_.head.framing == http::Framing::kChunked;
    std::string framed;
    while (!x_.body_complete) {
      const BodyPiece piece = co_await next_piece(x_);
      if (given_up_) co_return false;  // the answer is whole already
      if (piece.fault || piece.lost) {
        fault_ = piece.fault ? piece.fault : http::Fault{400, "the request's body was cut short"};
        to_.stream.close(true);  // the upstream sees a body cut short, never a shorter body
        co_return false;
      }
      progressed(x_.bytes_in);
      if (piece.data.empty()) continue;
      std::string_view bytes = piece.data;
      if (chunked) {
        framed.clear();
        http::write_chunk_header(framed, piece.data.size());
        framed += piece.data;
        framed += "\r\n";
        bytes = framed;
      }
      if (!co_await to_.stream.write(bytes)) co_return false;
    }
    co_return !chunked || co_await to_.stream.write("0\r\n\r\n");
  }

  Exchange& x_;
  UpstreamConnection& to_;
  net::Timer ended_;
  bool running_ = false;
  bool whole_ = false;
  bool given_up_ = false;
  http::Fault fault_;
};

void write_request(Exchange& x, std::string& out) {
  const UpstreamConfig& config = x.upstream->config();
  std::string path = config.base_path + x.path.forward;
  if (path.empty()) path = "/";
  const http::RequestTarget target{x.head.method, path, x.head.query, x.head.has_query,
                                   config.authority};
  // An MCP answer may have to be read, so it is asked for without coding or range.
  static constexpr std::string_view kReadable[] = {"accept-encoding", "range"};
  const std::span<const std::string_view> drop = x.is_mcp()
                                                     ? std::span<const std::string_view>(kReadable)
                                                     : std::span<const std::string_view>();
  http::Framing framing = x.head.framing;
  uint64_t length = x.head.content_length;
  if (x.body_buffered) {
    framing = http::Framing::kLength;
    length = x.connection.body.size();
  }
  // A server that reeve started cannot know otherwise whose process it is to be.
  const http::Field caller[] = {{stdio::kAgentField, x.agent_info()->name}};
  const std::span<const http::Field> extra = config.command.words.empty()
                                                 ? std::span<const http::Field>()
                                                 : std::span<const http::Field>(caller);
  http::write_request_head(out, target, x.head, config.fields, framing, length, drop, extra);
  if (x.body_buffered) out += x.connection.body;
}

// Sends the request and waits for the answer's head.
net::Task<UpstreamFailure> request(Exchange& x, UpstreamConnection& to, Upload& upload) {
  Connection& c = x.connection;
  c.out.clear();
  write_request(x, c.out);
  x.reservation.mark_sent();
  x.forwarded = true;
  // An upstream that refuses a body early may close before it has read it all: its answer counts.
  std::string_view bytes = c.out;
  const bool whole = to.stream.write_at_once(bytes) || co_await to.stream.write(bytes);
  if (whole && !x.body_buffered && !x.body_complete) upload.start();
  to.parser.reset(x.head.method);
  for (;;) {
    if (to.begin != to.end) {
      const http::Progress progress = to.parser.parse(to.unread());
      if (progress == http::Progress::kDone) break;
      if (progress == http::Progress::kFault || to.full()) {
        co_return UpstreamFailure{"protocol", 502, "the upstream's answer is malformed"};
      }
    }
    net::ErrorCode ec;
    if (co_await to.fill(ec) == 0) {
      if (c.timed_out)
        co_return UpstreamFailure{"timeout", 504, "the upstream did not answer in time"};
      co_return UpstreamFailure{"closed", 502,
                                "the upstream closed the connection without an answer",
                                to.begin == to.end};
    }
  }
  to.remember_head();
  if (!whole) to.keep_for = std::chrono::milliseconds(0);
  co_return UpstreamFailure{};
}

// One try on one connection.
net::Task<UpstreamFailure> attempt(Exchange& x, bool fresh, bool& reused) {
  Connection& c = x.connection;
  x.worker.set_phase(c, Phase::kUpstream, x.upstream->config().timeout);
  if (c.agent_gone) co_return UpstreamFailure{"closed", 502, ""};
  auto connected = co_await x.upstream->connect(fresh, &c.connecting, c.given_up);
  c.connecting = nullptr;
  if (c.agent_gone) co_return UpstreamFailure{"closed", 502, ""};
  if (c.timed_out) {
    co_return UpstreamFailure{"timeout", 504, "the upstream did not accept in time"};
  }
  if (!connected) {
    log(LogLevel::kWarning,
        fmt::format("upstream `{}`: {}", x.upstream->config().name, connected.error().message));
    co_return UpstreamFailure{"connect", 502, "the upstream cannot be reached"};
  }
  std::unique_ptr<UpstreamConnection> to = std::move(*connected);
  reused = to->reused;
  c.upstream = &to->stream;
  x.upstream_started = steady_now();
  Upload upload(x, *to);
  UpstreamFailure failure = co_await request(x, *to, upload);
  RelayEnd end = RelayEnd::kBroken;
  if (failure.error.empty()) {
    x.worker.set_phase(c, Phase::kStream, {});
    end = co_await relay(x, *to);
    if (end == RelayEnd::kRefused) {
      failure = {"protocol", 502, "the upstream's answer cannot be passed on"};
    } else if (end == RelayEnd::kBroken) {
      failure = {"closed", 502, "the upstream broke its answer off"};
    }
  }
  co_await upload.finish();
  x.upstream_ended = steady_now();
  c.upstream = nullptr;
  if (upload.fault()) failure = {"agent-body", upload.fault().status, upload.fault().detail};
  if (!x.body_complete) x.keep_alive = false;
  if (end == RelayEnd::kWhole && x.body_complete && to->stream.is_open()) {
    x.upstream->keep(std::move(to), x.upstream_ended);
  }
  co_return failure;
}

}  // namespace

net::Task<void> answer_failure(Exchange& x, UpstreamFailure failure) {
  static constexpr std::pair<std::string_view, UpstreamError> kKinds[] = {
      {"connect", UpstreamError::kConnect},
      {"timeout", UpstreamError::kTimeout},
      {"protocol", UpstreamError::kProtocol},
      {"closed", UpstreamError::kClosed}};
  x.error = failure.error;
  if (x.connection.agent_gone) {
    x.error = "agent-gone";
    x.keep_alive = false;
    co_return;
  }
  for (const auto& [name, kind] : kKinds) {
    if (name == failure.error) x.worker.metrics().upstream_error(x.upstream_label(), kind);
  }
  if (x.answered) {
    x.keep_alive = false;
    x.connection.stream.close(true);
    co_return;
  }
  if (!x.body_complete) x.keep_alive = false;
  x.refuse(failure.status, failure.error, failure.detail);
  std::string& out = x.connection.out;
  out.clear();
  append_refusal(out, x);
  x.refusal.reset();  // the call was allowed; its upstream failed
  if (!co_await x.connection.stream.write(out)) x.keep_alive = false;
}

net::Task<void> forward(Exchange& x) {
  const bool repeatable = x.body_buffered || x.body_complete;
  bool reused = false;
  UpstreamFailure failure = co_await attempt(x, false, reused);
  // A kept connection that the upstream closed just then: nobody has seen the call, or it does no
  // harm twice.
  if (!failure.error.empty() && failure.silent && reused && repeatable &&
      !x.connection.agent_gone && idempotent(x.head.method)) {
    failure = co_await attempt(x, true, reused);
  }
  if (!failure.error.empty()) co_await answer_failure(x, failure);
}

}  // namespace reeve
