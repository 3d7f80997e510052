// Server-sent events (WHATWG HTML, 9.2), one event at a time; fed, does not read.
//
// What an upstream sends is parsed and written anew, so that an agent's client reads exactly what
// reeve read: CRLF, CR and LF line ends, split at any byte, several data lines, a byte order mark,
// comments, events without a name, ids, retry.
#ifndef REEVE_PROXY_MCP_EVENT_STREAM_H_
#define REEVE_PROXY_MCP_EVENT_STREAM_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace reeve::mcp {

struct Event {
  bool comment = false;   // data holds the comment's text, the rest is empty
  std::string_view name;  // empty: none given (a message)
  std::string_view data;  // lines joined by \n
  bool has_data = false;  // an event without data still carries id and retry
  std::string_view id;
  bool has_id = false;
  std::string_view retry;  // digits
  bool has_retry = false;
};

class EventStreamParser {
 public:
  // `max_event_bytes` bounds all that is held: one event's fields and the line being received.
  explicit EventStreamParser(size_t max_event_bytes) : max_event_bytes_(max_event_bytes) {}

  // Feeds bytes; calls `on_event` for each event that is complete (a comment as soon as its line
  // is; a line that ends in CR at once, without waiting whether LF follows). The views live until
  // on_event returns. False when an event exceeds the limit: the stream must be ended, and feeding
  // it more does nothing.
  bool feed(std::string_view bytes, const std::function<void(const Event&)>& on_event);
  // The end of the stream. An event cut short by it is never delivered (the standard); whether one
  // was is the answer: true is a clean end. The parser is as new.
  bool finish(const std::function<void(const Event&)>& on_event);

 private:
  using OnEvent = std::function<void(const Event&)>;
  std::string_view after_mark(std::string_view bytes, std::string& rest);
  bool lines(std::string_view bytes, const OnEvent& on_event);
  void line(std::string_view text, const OnEvent& on_event);
  void field(std::string_view name, std::string_view value);
  void dispatch(const OnEvent& on_event);
  size_t held() const { return line_.size() + name_.size() + data_.size() + id_.size(); }

  size_t max_event_bytes_;
  std::string line_;  // the line being received
  std::string name_, data_, id_, retry_;
  bool has_data_ = false, has_id_ = false, has_retry_ = false;
  bool skip_lf_ = false;   // the byte before was a CR
  bool at_start_ = true;   // a byte order mark may come
  size_t mark_bytes_ = 0;  // of the mark seen so far
  bool failed_ = false;
};

// Appends the event in the one form that every reader takes alike: LF, one space after the colon,
// data last, one blank line. Line ends inside data make new data lines; in other fields they are
// left out, so no value can begin a field or an event of its own.
void append_event(std::string& out, const Event& event);

}  // namespace reeve::mcp

#endif  // REEVE_PROXY_MCP_EVENT_STREAM_H_
