// The head stays in place at the front of the connection's buffer while the call is handled; body
// bytes are read behind it, again and again into the same room. Tested end to end by tests/e2e.
#include "proxy/body.h"

#include <cstring>

#include "policy/json_body.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr size_t kBytesPerSecond = 64 * 1024;

// Room behind the head, at least half of what a head may take: bytes already consumed are given up.
void make_room(Connection& c, size_t head_end) {
  if (c.begin == c.end) {
    c.begin = c.end = head_end;
  } else if (c.end == c.work->capacity) {
    std::memmove(c.work->buffer.get() + head_end, c.work->buffer.get() + c.begin, c.end - c.begin);
    c.end = head_end + (c.end - c.begin);
    c.begin = head_end;
  }
}

}  // namespace

void start_body(Exchange& x) {
  x.decoder.start(x.head.framing, x.head.content_length);
  x.body_complete = x.head.framing == http::Framing::kNone ||
                    (x.head.framing == http::Framing::kLength && x.head.content_length == 0);
  x.body_start = x.connection.begin;
}

std::optional<BodyPiece> piece_at_hand(Exchange& x) {
  Connection& c = x.connection;
  while (!x.body_complete && c.begin != c.end) {
    const http::BodyDecoder::Step step = x.decoder.step(c.unread());
    c.begin += step.consumed;
    x.body_complete = step.done;
    x.bytes_in += step.data.size();
    if (step.fault) return BodyPiece{{}, step.fault, false};
    if (!step.data.empty()) return BodyPiece{step.data, {}, false};
    if (step.consumed == 0) break;
  }
  if (x.body_complete) return BodyPiece{};
  return std::nullopt;
}

namespace {

net::Task<BodyPiece> read_piece(Exchange& x) {
  Connection& c = x.connection;
  for (;;) {
    if (x.head.expect_continue && !x.continue_sent && x.bytes_in == 0 && !x.answered) {
      x.continue_sent = true;
      if (!co_await c.stream.write(kContinue)) co_return BodyPiece{{}, {}, true};
    }
    make_room(c, x.body_start);
    net::ErrorCode ec;
    const size_t n =
        co_await c.stream.read_some(c.work->buffer.get() + c.end, c.work->capacity - c.end, ec);
    if (n == 0 || c.timed_out) {
      if (c.timed_out) co_return BodyPiece{{}, {408, "the request's body took too long"}, false};
      co_return BodyPiece{{}, {}, true};
    }
    c.end += n;
    if (const auto piece = piece_at_hand(x)) co_return *piece;
  }
}

}  // namespace

net::Step<BodyPiece> next_piece(Exchange& x) {
  if (const auto piece = piece_at_hand(x)) return *piece;
  return read_piece(x);
}

net::Task<bool> read_body(Exchange& x) {
  Connection& c = x.connection;
  const LimitsConfig& limits = x.worker.services().config.limits;
  c.work->body.clear();
  if (x.head.framing == http::Framing::kLength && x.head.content_length > limits.body_bytes) {
    co_return x.refuse(413, "malformed", "the body is larger than limits.body_bytes");
  }
  // In one piece: growing it bit by bit leaves as much again behind. Memory that nothing is written
  // to costs nothing.
  if (x.head.framing == http::Framing::kLength) c.work->body.reserve(x.head.content_length);
  x.worker.set_phase(c, Phase::kBody, limits.body);
  while (!x.body_complete) {
    const BodyPiece piece = co_await next_piece(x);
    if (piece.fault) {
      x.keep_alive = false;
      co_return x.refuse(piece.fault.status, "malformed", piece.fault.detail);
    }
    if (piece.lost) {
      x.keep_alive = false;
      c.agent_gone = true;
      co_return x.refuse(400, "malformed", "the body was cut short");
    }
    if (c.work->body.size() + piece.data.size() > limits.body_bytes) {
      x.keep_alive = false;
      co_return x.refuse(413, "malformed", "the body is larger than limits.body_bytes");
    }
    c.work->body += piece.data;
    c.deadline =
        c.phase_since + limits.body + std::chrono::seconds(c.work->body.size() / kBytesPerSecond);
  }
  x.body_buffered = true;
  co_return true;
}

bool read_json_body(Exchange& x) {
  if (x.connection.work->body.empty()) return true;
  const policy::BodyForm form = policy::body_form(x.head.fields.list);
  if (form.kind == policy::BodyForm::Kind::kRefused) return x.refuse(415, "malformed", form.fault);
  if (form.kind == policy::BodyForm::Kind::kOther) {
    x.call.args_unread = true;
    return true;
  }
  x.args = x.connection.work->json.parse(x.connection.work->body);
  if (!x.args) {
    return x.refuse(
        400, "malformed",
        std::string("the body is no strict JSON: ") + x.connection.work->json.error().what);
  }
  x.call.args = &*x.args;
  return true;
}

net::Task<bool> drain_body(Exchange& x, size_t most) {
  if (x.body_complete) co_return true;
  if (x.head.framing == http::Framing::kLength && x.head.content_length > most) co_return false;
  if (x.head.expect_continue && !x.continue_sent) co_return false;
  Connection& c = x.connection;
  if (c.timed_out || !c.stream.is_open()) co_return false;
  x.worker.set_phase(c, Phase::kBody, x.worker.services().config.limits.body);
  size_t total = 0;
  while (!x.body_complete) {
    const BodyPiece piece = co_await next_piece(x);
    total += piece.data.size();
    if (piece.fault || piece.lost || total > most) co_return false;
  }
  co_return true;
}

}  // namespace reeve
