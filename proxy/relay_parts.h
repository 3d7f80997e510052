// What relay.cc reads an answer with, and writes it with.
#ifndef REEVE_PROXY_RELAY_PARTS_H_
#define REEVE_PROXY_RELAY_PARTS_H_

#include <span>
#include <string>
#include <string_view>

#include "proxy/approvals/answer.h"
#include "proxy/exchange.h"
#include "proxy/http/writer.h"
#include "proxy/result_cost.h"
#include "proxy/worker.h"

namespace reeve {

inline bool media_type_is(const http::Fields& fields, std::string_view wanted) {
  const auto type = fields.single("content-type");
  if (!type) return false;
  std::string_view media = type->substr(0, type->find(';'));
  while (!media.empty() && (media.back() == ' ' || media.back() == '\t')) media.remove_suffix(1);
  return http::iequals(media, wanted);
}

// Reads the body of an answer piece by piece.
class BodyReader {
 public:
  // Between two pieces the upstream may take `answer_idle`, unless `stream`: events have no hurry.
  BodyReader(Exchange& x, UpstreamConnection& from, bool stream)
      : from_(from),
        agent_(x.connection),
        idle_(x.upstream->config().answer_idle),
        priced_(x.result_cost.get()),
        stream_(stream) {
    const http::ResponseHead& head = from.parser.head();
    decoder_.start(head.framing, head.content_length);
    done_ = head.framing == http::Framing::kNone ||
            (head.framing == http::Framing::kLength && head.content_length == 0);
  }

  bool done() const { return done_; }
  bool broken() const { return broken_; }

  // What is there without waiting, or else what comes next. Empty at the end or when broken. The
  // view lives until the next call.
  net::Step<std::string_view> next() {
    if (const std::string_view data = take(); !data.empty() || done_ || broken_) return data;
    return read();
  }

  // What is in the buffer already.
  std::string_view take() {
    while (!done_ && !broken_ && from_.begin != from_.end) {
      const http::BodyDecoder::Step step = decoder_.step(from_.unread());
      from_.consume(step.consumed);
      done_ = step.done;
      broken_ = static_cast<bool>(step.fault);
      if (!step.data.empty()) {
        if (priced_) priced_->take(step.data);
        return step.data;
      }
      if (step.consumed == 0) break;
    }
    return {};
  }

  bool closed() const { return closed_; }

 private:
  net::Task<std::string_view> read() {
    for (;;) {
      net::ErrorCode ec;
      if (!stream_ && agent_.phase != Phase::kReadOn) {
        agent_.deadline = steady_coarse() + idle_;
        agent_.phase = Phase::kAnswer;
      }
      const size_t n = co_await from_.fill(ec);
      if (agent_.phase != Phase::kReadOn) {
        agent_.phase = Phase::kStream;  // the agent may take its time to read
      }
      if (n == 0) {
        done_ = ec == net::asio::error::eof && decoder_.complete_at_close();
        broken_ = !done_;
        closed_ = true;
        co_return std::string_view{};
      }
      if (const std::string_view data = take(); !data.empty() || done_ || broken_) co_return data;
    }
  }

  UpstreamConnection& from_;
  Connection& agent_;
  const std::chrono::milliseconds idle_;
  ResultCost* const priced_;  // null: no price reads the result
  const bool stream_;
  http::BodyDecoder decoder_;
  bool done_ = false, broken_ = false, closed_ = false;
};

// Writes an answer to the agent in the framing that suits it.
class Answer {
 public:
  explicit Answer(Exchange& x) : x_(x), out_(x.connection.work->out) { out_.clear(); }

  void head(const http::ResponseHead& head, http::Framing framing, uint64_t length,
            std::span<const http::Field> extra, std::span<const std::string_view> drop = {}) {
    x_.status = head.status;
    if (x_.asked && x_.asked->events_open) {
      // It began while people were asked: what is no event yet becomes one.
      framing_ = http::Framing::kChunked;
      collects_ = !media_type_is(head.fields, "text/event-stream");
      return;
    }
    framing_ = framing;
    if (framing == http::Framing::kChunked && x_.head.minor_version == 0) {
      framing_ = http::Framing::kUntilClose;
    }
    if (framing_ == http::Framing::kUntilClose) x_.keep_alive = false;
    if (x_.worker.services().draining) x_.keep_alive = false;
    if (!x_.body_complete) x_.keep_alive = false;  // an answer before the end of its request
    http::write_response_head(out_, head.status, head.reason, head.fields, drop, extra, framing_,
                              length, x_.keep_alive, x_.head.minor_version);
  }

  void body(std::string_view data) {
    x_.bytes_out += data.size();
    if (collects_) {
      // One that is too long is no message, whatever it goes on with.
      if (collected_.size() <= x_.worker.services().config.limits.body_bytes) collected_ += data;
    } else if (framing_ == http::Framing::kChunked) {
      http::write_chunk_header(out_, data.size());
      out_ += data;
      out_ += "\r\n";
    } else {
      out_ += data;
    }
  }

  void end() {
    if (collects_) {
      approvals::append_collected(out_, x_, collected_);
    } else if (framing_ == http::Framing::kChunked) {
      out_ += "0\r\n\r\n";
    }
  }

  net::Step<bool> flush() {
    if (out_.empty()) return true;
    x_.answered = true;
    std::string_view bytes = out_;
    if (!x_.connection.stream.write_at_once(bytes)) return write(bytes);
    out_.clear();
    return true;
  }

  bool empty() const { return out_.empty(); }

 private:
  net::Task<bool> write(std::string_view bytes) {
    const bool sent = co_await x_.connection.stream.write(bytes);
    out_.clear();
    if (!sent) x_.connection.agent_gone = true;
    co_return sent;
  }

  Exchange& x_;
  std::string& out_;
  http::Framing framing_ = http::Framing::kNone;
  bool collects_ = false;
  std::string collected_;
};

// An answer's status and fields for as long as its body is read: the parser's are views into the
// buffer that the body is read into.
class HeldHead {
 public:
  explicit HeldHead(const http::ResponseHead& from) {
    head_.status = from.status;
    head_.framing = from.framing;
    head_.content_length = from.content_length;
    for (const http::Field& field : from.fields.list) text_.append(field.name).append(field.value);
    size_t at = 0;
    const auto take = [&](size_t size) {
      at += size;
      return std::string_view(text_).substr(at - size, size);
    };
    for (const http::Field& field : from.fields.list) {
      const std::string_view name = take(field.name.size());
      head_.fields.list.push_back({name, take(field.value.size())});
    }
  }
  HeldHead(const HeldHead&) = delete;
  HeldHead& operator=(const HeldHead&) = delete;
  const http::ResponseHead& head() const { return head_; }

 private:
  std::string text_;
  http::ResponseHead head_;
};

}  // namespace reeve

#endif  // REEVE_PROXY_RELAY_PARTS_H_
