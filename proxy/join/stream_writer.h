// An answer that is written piece by piece, as events come.
#ifndef REEVE_PROXY_JOIN_STREAM_WRITER_H_
#define REEVE_PROXY_JOIN_STREAM_WRITER_H_

#include <string_view>

#include "proxy/exchange.h"
#include "proxy/http/writer.h"
#include "proxy/join/part.h"
#include "proxy/worker.h"

namespace reeve::join {

class StreamWriter {
 public:
  explicit StreamWriter(Exchange& x) : x_(x) {}

  net::Task<bool> head(int status, const http::Fields& fields,
                       std::span<const http::Field> extra = {}) {
    chunked_ = x_.head.minor_version != 0;
    if (!chunked_ || x_.worker.services().draining) x_.keep_alive = false;
    std::string& out = x_.connection.work->out;
    out.clear();
    static constexpr std::string_view kDrop[] = {"mcp-session-id"};
    http::write_response_head(out, status, {}, fields, kDrop, extra,
                              chunked_ ? http::Framing::kChunked : http::Framing::kUntilClose, 0,
                              x_.keep_alive, x_.head.minor_version);
    x_.status = status;
    x_.answered = true;
    return send();
  }
  // The answer's end comes with it where `last`.
  net::Task<bool> write(std::string_view data, bool last = false) {
    std::string& out = x_.connection.work->out;
    out.clear();
    x_.bytes_out += data.size();
    if (!data.empty() && chunked_) http::write_chunk_header(out, data.size());
    out += data;
    if (!data.empty() && chunked_) out += "\r\n";
    if (last && chunked_) out += "0\r\n\r\n";
    return send();
  }
  // An answer that is cut short must not look whole.
  void cut() {
    x_.keep_alive = false;
    x_.connection.stream.close(true);
  }

 private:
  net::Task<bool> send() {
    const bool sent =
        x_.connection.work->out.empty() ||
        (!x_.connection.agent_gone && co_await x_.connection.stream.write(x_.connection.work->out));
    if (!sent) x_.keep_alive = false;
    co_return sent;
  }

  Exchange& x_;
  bool chunked_ = true;
};

// The fields of a part's answer, as views into it.
inline http::Fields fields_of(const Part& part) {
  http::Fields fields;
  for (const auto& [name, value] : part.fields()) fields.list.push_back({name, value});
  return fields;
}

}  // namespace reeve::join

#endif  // REEVE_PROXY_JOIN_STREAM_WRITER_H_
