// One HTTP exchange as a client, for what turns messages into exchanges.
#ifndef REEVE_PROXY_STDIO_HTTP_EXCHANGE_H_
#define REEVE_PROXY_STDIO_HTTP_EXCHANGE_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/parser.h"
#include "proxy/net/connect.h"

namespace reeve::stdio {

// A connection to the server; nothing when it cannot be reached. Ended from outside by closing what
// is pending, which outlives the call.
using Connect = std::function<net::Task<std::optional<net::Stream>>(net::Pending&)>;

// On a connection of its own. Of one event loop; outlives what it awaits.
class HttpExchange {
 public:
  static constexpr size_t kHeadBytes = 64 * 1024;
  static constexpr size_t kBufferBytes = 2 * kHeadBytes;

  HttpExchange(Connect connect, size_t body_bytes)
      : connect_(std::move(connect)),
        parser_({kHeadBytes}),
        body_bytes_(body_bytes),
        buffer_(kBufferBytes, '\0') {}

  std::string key;  // of the request, to be cancelled by

  // Sends and reads the answer's head. False when the server cannot be reached or speaks nonsense.
  net::Task<bool> begin(std::string_view method, const std::string& head, std::string_view body) {
    auto stream = co_await connect_(pending_);
    if (!stream) co_return false;
    stream_.emplace(std::move(*stream));
    std::string out = head;
    out += body;
    if (cancelled_ || !co_await stream_->write(out)) co_return false;
    parser_.reset(method);
    for (;;) {
      if (!co_await fill()) co_return false;
      const http::Progress progress = parser_.parse({buffer_.data(), end_});
      if (progress == http::Progress::kFault) co_return false;
      if (progress == http::Progress::kDone) break;
    }
    const http::ResponseHead& answer = parser_.head();
    status_ = answer.status;
    type_ = answer.fields.single("content-type").value_or("");
    session_ = answer.fields.single("mcp-session-id").value_or("");
    decoder_.start(answer.framing, answer.content_length);
    done_ = answer.framing == http::Framing::kNone ||
            (answer.framing == http::Framing::kLength && answer.content_length == 0);
    begin_ = parser_.head_bytes();
    co_return true;
  }

  int status() const { return status_; }
  const std::string& session() const { return session_; }
  bool events() const { return type_.starts_with("text/event-stream"); }

  // The next bytes of the body; empty at the end, which whole() tells apart from a break.
  net::Task<std::string_view> next() {
    while (!done_) {
      const http::BodyDecoder::Step step =
          decoder_.step(std::string_view(buffer_).substr(begin_, end_ - begin_));
      begin_ += step.consumed;
      done_ = step.done;
      if (step.fault) co_return std::string_view{};
      if (!step.data.empty()) co_return step.data;
      if (step.consumed > 0) continue;
      begin_ = end_ = 0;
      if (!co_await fill()) {
        done_ = decoder_.complete_at_close();
        co_return std::string_view{};
      }
    }
    co_return std::string_view{};
  }
  bool whole() const { return done_; }

  net::Task<std::string> rest() {
    std::string all;
    for (;;) {
      const std::string_view data = co_await next();
      if (data.empty() || all.size() + data.size() > body_bytes_) break;
      all += data;
    }
    co_return all;
  }

  void cancel() {
    cancelled_ = true;
    if (stream_) stream_->close();
    pending_.close();
  }
  bool cancelled() const { return cancelled_; }

 private:
  net::Task<bool> fill() {
    if (end_ == buffer_.size()) co_return false;
    net::ErrorCode ec;
    const size_t n = co_await stream_->read_some(buffer_.data() + end_, buffer_.size() - end_, ec);
    end_ += n;
    co_return n > 0;
  }

  const Connect connect_;
  net::Pending pending_;
  std::optional<net::Stream> stream_;
  http::ResponseParser parser_;
  http::BodyDecoder decoder_;
  const size_t body_bytes_;
  std::string buffer_;
  size_t begin_ = 0, end_ = 0;
  int status_ = 0;
  std::string type_, session_;
  bool done_ = false, cancelled_ = false;
};

}  // namespace reeve::stdio

#endif  // REEVE_PROXY_STDIO_HTTP_EXCHANGE_H_
