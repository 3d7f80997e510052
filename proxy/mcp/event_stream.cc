// Lines out of bytes, events out of lines (WHATWG HTML, 9.2.6), and the way back.
//
// Unlike a browser's, this parser delivers what only carries an id or a retry, and comments: the
// agent's client must see the ids and the signs of life that the upstream sent. It does not decode:
// bytes that are not UTF-8 pass, and whoever reads the data as JSON refuses them.
#include "proxy/mcp/event_stream.h"

#include <algorithm>

namespace reeve::mcp {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr size_t kMaxRetryDigits = 9;  // milliseconds: eleven days

bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

void append_line(std::string& out, std::string_view name, std::string_view value) {
  out.append(name);
  for (const char c : value) {
    if (c != '\n' && c != '\r') out += c;
  }
  out += '\n';
}

void append_data(std::string& out, std::string_view data) {
  for (;;) {
    const size_t end = std::min(data.find_first_of("\r\n"), data.size());
    out.append("data: ").append(data.substr(0, end)).append(1, '\n');
    if (end == data.size()) return;
    const bool crlf = data.substr(end).starts_with("\r\n");
    data.remove_prefix(end + (crlf ? 2 : 1));
  }
}

}  // namespace

// Drops a byte order mark at the start of the stream, however it is cut. What turns out to be none
// is put together again in `rest`.
std::string_view EventStreamParser::after_mark(std::string_view bytes, std::string& rest) {
  while (mark_bytes_ < kByteOrderMark.size() && !bytes.empty() &&
         bytes.front() == kByteOrderMark[mark_bytes_]) {
    bytes.remove_prefix(1);
    ++mark_bytes_;
  }
  if (mark_bytes_ == kByteOrderMark.size()) {
    at_start_ = false;
    return bytes;
  }
  if (bytes.empty()) return bytes;  // still may be one
  at_start_ = false;
  if (mark_bytes_ == 0) return bytes;
  rest.append(kByteOrderMark.substr(0, mark_bytes_)).append(bytes);
  return rest;
}

bool EventStreamParser::feed(std::string_view bytes, const OnEvent& on_event) {
  if (failed_) return false;
  std::string rest;
  if (at_start_) bytes = after_mark(bytes, rest);
  if (!lines(bytes, on_event)) failed_ = true;
  return !failed_;
}

bool EventStreamParser::lines(std::string_view bytes, const OnEvent& on_event) {
  if (skip_lf_ && !bytes.empty()) {
    skip_lf_ = false;
    if (bytes.front() == '\n') bytes.remove_prefix(1);
  }
  // Where the next LF and CR are is looked for once each, not once a line.
  size_t lf = bytes.find('\n');
  size_t cr = bytes.find('\r');
  size_t begin = 0;
  while (std::min(lf, cr) != std::string_view::npos) {
    const size_t end = std::min(lf, cr);
    const std::string_view part = bytes.substr(begin, end - begin);
    if (held() + part.size() > max_event_bytes_) return false;
    if (line_.empty()) {
      line(part, on_event);
    } else {
      line_.append(part);
      line(line_, on_event);
      line_.clear();
    }
    begin = end + 1;
    if (end == cr) {
      if (begin == bytes.size()) {
        skip_lf_ = true;
      } else if (begin == lf) {
        ++begin;
      }
      cr = bytes.find('\r', begin);
    }
    if (lf < begin) lf = bytes.find('\n', begin);
  }
  const std::string_view left = bytes.substr(begin);
  if (held() + left.size() > max_event_bytes_) return false;
  line_.append(left);
  return true;
}

void EventStreamParser::line(std::string_view text, const OnEvent& on_event) {
  if (text.empty()) return dispatch(on_event);
  const size_t colon = std::min(text.find(':'), text.size());
  if (colon == 0) {
    Event comment;
    comment.comment = true;
    comment.data = text.substr(1);
    return on_event(comment);
  }
  std::string_view value = text.substr(std::min(colon + 1, text.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  field(text.substr(0, colon), value);
}

void EventStreamParser::field(std::string_view name, std::string_view value) {
  if (name == "data") {
    if (has_data_) data_ += '\n';
    data_.append(value);
    has_data_ = true;
  } else if (name == "event") {
    name_ = value;
  } else if (name == "id" && value.find('\0') == std::string_view::npos) {
    id_ = value;
    has_id_ = true;
  } else if (name == "retry" && !value.empty() && value.size() <= kMaxRetryDigits &&
             all_digits(value)) {
    retry_ = value;
    has_retry_ = true;
  }
}

void EventStreamParser::dispatch(const OnEvent& on_event) {
  if (has_data_ || has_id_ || has_retry_) {
    Event event;
    event.name = name_;
    event.data = data_;
    event.has_data = has_data_;
    event.id = id_;
    event.has_id = has_id_;
    event.retry = retry_;
    event.has_retry = has_retry_;
    on_event(event);
  }
  name_.clear();
  data_.clear();
  id_.clear();
  retry_.clear();
  has_data_ = has_id_ = has_retry_ = false;
}

bool EventStreamParser::finish(const OnEvent&) {
  const bool cut = !line_.empty() || has_data_;
  *this = EventStreamParser(max_event_bytes_);
  return !cut;
}

void append_event(std::string& out, const Event& event) {
  if (event.comment) {
    append_line(out, ":", event.data);
    out += '\n';
    return;
  }
  if (!event.name.empty()) append_line(out, "event: ", event.name);
  if (event.has_id) append_line(out, "id: ", event.id);
  if (event.has_retry) append_line(out, "retry: ", event.retry);
  if (event.has_data) append_data(out, event.data);
  out += '\n';
}

}  // namespace reeve::mcp
