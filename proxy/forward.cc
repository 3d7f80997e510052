// Forwarding: connect, write a head of our own, pump the body up, relay the answer down.
//
// What was judged is what is sent: an MCP message as the bytes that were read, a path in the form
// that rules matched. Only what is idempotent, or was never sent, is tried a second time. The parts
// of the answer are in relay.cc. Tested end to end by tests/e2e.
#include "proxy/forward.h"

#include <fmt/format.h>

#include "proxy/body.h"
#include "proxy/http/writer.h"
#include "proxy/log.h"
#include "proxy/relay.h"
#include "proxy/reply.h"
#include "proxy/stops/cut.h"
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
  Upload(Exchange& x, UpstreamConnection& to) : x_(x), to_(to) {}

  void start() {
    running_ = true;
    net::spawn(x_.worker.context(), run(), [this](const std::exception_ptr&) {
      running_ = false;
      net::Loop::of(x_.worker.context()).make_ready(ended_);
    });
  }

  // Waits for the end of the upload; one that the answer has overtaken is given up.
  net::Task<void> finish() {
    if (running_ && !whole_) {
      given_up_ = true;
      to_.stream.close(true);
      x_.connection.stream.cancel();
    }
    while (running_) co_await net::Waiting(ended_);
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
    const UpstreamConfig& config = x_.upstream->config();
    if (c.phase == Phase::kUpstream) c.deadline = steady_now() + config.timeout;
    if (c.phase == Phase::kAnswer) c.deadline = steady_now() + config.answer_idle;
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
  net::Waits ended_;
  bool running_ = false;
  bool whole_ = false;
  bool given_up_ = false;
  http::Fault fault_;
};

void write_request(Exchange& x, const UpstreamConnection& to, std::string& out) {
  const UpstreamConfig& config = x.upstream->config();
  std::string path = config.base_path + x.path.forward;
  if (path.empty()) path = "/";
  const http::RequestTarget target{x.head.method, path, x.head.query, x.head.has_query,
                                   x.upstream->authority(to)};
  // An answer that may have to be read is asked for without coding or range.
  static constexpr std::string_view kReadable[] = {"accept-encoding", "range", "if-range"};
  const bool uncoded = guards_results(x) || x.metered || x.result_cost;
  const std::span<const std::string_view> drop = x.is_mcp() || uncoded
                                                     ? std::span<const std::string_view>(kReadable)
                                                     : std::span<const std::string_view>();
  http::Framing framing = x.head.framing;
  uint64_t length = x.head.content_length;
  if (x.body_buffered) {
    framing = http::Framing::kLength;
    length = x.connection.work->body.size();
  }
  // The face of a server cannot know otherwise whose process or connection it is to be.
  const http::Field added[] = {{stdio::kAgentField, x.agent_info()->name},
                               {"Accept-Encoding", "identity"}};
  const size_t first = config.has_face() ? 0 : 1;
  const std::span<const http::Field> extra(added + first, (uncoded ? 2 : 1) - first);
  http::write_request_head(out, target, x.head, config.fields, framing, length, drop, extra);
  if (x.body_buffered) out += x.connection.work->body;
}

// How far a body has been read. What was taken from the buffer is still in it until more is read.
class BodyMark {
 public:
  explicit BodyMark(const Exchange& x)
      : decoder_(x.decoder),
        begin_(x.connection.begin),
        bytes_in_(x.bytes_in),
        complete_(x.body_complete) {}

  void restore(Exchange& x) const {
    x.decoder = decoder_;
    x.connection.begin = begin_;
    x.bytes_in = bytes_in_;
    x.body_complete = complete_;
  }

 private:
  const http::BodyDecoder decoder_;
  const size_t begin_;
  const uint64_t bytes_in_;
  const bool complete_;
};

// What of the body has come with its head leaves with it, too: for most calls that is all of it.
void append_body_at_hand(Exchange& x, std::string& out) {
  if (x.head.framing != http::Framing::kLength) return;
  while (!x.body_complete) {
    const auto piece = piece_at_hand(x);
    if (!piece) return;
    out += piece->data;
  }
}

// Sends the request and waits for the answer's head.
net::Task<UpstreamFailure> request(Exchange& x, UpstreamConnection& to, Upload& upload) {
  Connection& c = x.connection;
  c.work->out.clear();
  write_request(x, to, c.work->out);
  const BodyMark before(x);
  if (!x.body_buffered) append_body_at_hand(x, c.work->out);
  std::string_view bytes = c.work->out;
  if (c.stopped) co_return UpstreamFailure{kStopped, 403, ""};
  const ptrdiff_t sent = to.stream.is_open() ? to.stream.write_now(bytes) : -1;
  if (sent < 0) {
    before.restore(x);
    co_return UpstreamFailure{"closed", 502, "the upstream closed the connection", true, true};
  }
  x.reservation.mark_sent();  // nothing was waited for since the bytes left
  x.forwarded = true;
  bytes.remove_prefix(static_cast<size_t>(sent));
  // An upstream that refuses a body early may close before it has read it all: its answer counts.
  const bool whole = bytes.empty() || co_await to.stream.write(bytes);
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

// What a try tells about the address that it went to. Nothing when the agent was at fault, nor when
// a kept connection was closed before it could be used.
void report(Exchange& x, UpstreamConnection& to, const UpstreamFailure& failure) {
  Upstream& upstream = *x.upstream;
  if (failure.error.empty()) {
    return upstream.answered(to, to.parser.head().status, x.upstream_started);
  }
  if (x.connection.agent_gone || x.connection.stopped || (to.reused && failure.silent)) return;
  const Trouble trouble = failure.error == "timeout"    ? Trouble::kTimeout
                          : failure.error == "protocol" ? Trouble::kProtocol
                                                        : Trouble::kClosed;
  upstream.failed(to, trouble, failure.detail, steady_now());
}

// One try on one connection, after those that cannot be had.
net::Task<UpstreamFailure> attempt(Exchange& x, Upstream::Tries& tries, ServerWatch* watch) {
  Connection& c = x.connection;
  Steady now = steady_now();
  std::unique_ptr<UpstreamConnection> to = x.upstream->try_kept(tries, now);
  if (!to) {
    auto reached = co_await x.upstream->connect(c, tries);
    if (c.agent_gone) co_return UpstreamFailure{"closed", 502, ""};
    if (c.timed_out || (!reached && reached.error().timed_out)) {
      co_return UpstreamFailure{"timeout", 504, "the upstream did not accept in time"};
    }
    if (!reached) {
      log(LogLevel::kWarning,
          fmt::format("upstream `{}`: {}", x.upstream->config().name, reached.error().detail));
      if (reached.error().tls) {
        co_return UpstreamFailure{"tls", 502, "the upstream's TLS cannot be trusted, or failed"};
      }
      co_return UpstreamFailure{"connect", 502, "the upstream cannot be reached"};
    }
    to = std::move(*reached);
    now = steady_now();
  }
  x.upstream_started = now;
  c.upstream = &to->stream;
  Upload upload(x, *to);
  UpstreamFailure failure = co_await request(x, *to, upload);
  if (!upload.fault()) report(x, *to, failure);
  RelayEnd end = RelayEnd::kBroken;
  if (failure.error.empty()) {
    x.worker.set_phase(c, Phase::kStream, {});
    end = co_await relay(x, *to, watch);
    if (end == RelayEnd::kRefused) {
      failure = {"protocol", 502, "the upstream's answer cannot be passed on"};
    } else if (end == RelayEnd::kGuarded) {
      failure = {"guard", 502, "a guard cut the answer off"};
    } else if (end == RelayEnd::kBroken && c.timed_out) {
      failure = {"timeout", 504, "the upstream stopped in the middle of its answer"};
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
  if (failure.silent && !to->reused) tries.failed.push_back(to->address);
  co_return failure;
}

// Whether a call that failed so goes out again, over a new connection.
bool try_again(const Exchange& x, const UpstreamFailure& failure, Upstream::Tries& tries,
               bool repeatable) {
  const Connection& c = x.connection;
  if (!failure.silent || c.agent_gone || c.timed_out || c.stopped) return false;
  tries.fresh = true;
  if (failure.unsent) return true;
  if (tries.repeated || !repeatable || !idempotent(x.head.method)) return false;
  tries.repeated = true;
  if (!x.upstream->has_several_addresses()) tries.failed.clear();  // there is no other
  return true;
}

// Whichever of the upstream's addresses began the session that the call belongs to.
void prefer_session(const Exchange& x, Upstream::Tries& tries) {
  if (!x.is_mcp() || x.upstream->has_one_address()) return;
  if (const auto session = x.head.fields.single("mcp-session-id")) {
    tries.prefer = x.worker.services().sessions.place(x.call.upstream, *session);
  }
}

}  // namespace

net::Task<void> answer_failure(Exchange& x, UpstreamFailure failure) {
  static constexpr std::pair<std::string_view, UpstreamError> kKinds[] = {
      {"connect", UpstreamError::kConnect},   {"timeout", UpstreamError::kTimeout},
      {"protocol", UpstreamError::kProtocol}, {"closed", UpstreamError::kClosed},
      {"busy", UpstreamError::kBusy},         {"tls", UpstreamError::kTls}};
  const bool stopped = x.connection.stopped;
  if (stopped) failure = {kStopped, 403, kStoppedDetail};
  x.error = failure.error;
  if (x.connection.agent_gone) {
    if (!stopped) x.error = "agent-gone";
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
  std::string& out = x.connection.work->out;
  out.clear();
  append_refusal(out, x);
  x.refusal.reset();  // the call was allowed; its upstream failed
  if (!co_await x.connection.stream.write(out)) x.keep_alive = false;
}

net::Task<void> forward(Exchange& x) {
  const bool repeatable = x.body_buffered || x.body_complete;
  x.worker.set_phase(x.connection, Phase::kUpstream, x.upstream->config().timeout);
  Gate::Place place = x.upstream->gate().try_enter();
  if (!place) place = co_await x.upstream->gate().enter(x.connection);
  UpstreamFailure failure{"busy", 503, "the upstream has no connection free; try again later"};
  if (place) {
    Upstream::Tries tries;
    prefer_session(x, tries);
    std::optional<ServerWatch> watch;
    if (x.is_mcp()) watch.emplace(x);
    do {
      failure = co_await attempt(x, tries, watch ? &*watch : nullptr);
    } while (try_again(x, failure, tries, repeatable));
    x.tries = tries.count;
    place = {};
  }
  if (!failure.error.empty()) co_await answer_failure(x, failure);
}

}  // namespace reeve
