// One upstream's part of a call to /mcp: a call of its own to /UPSTREAM, on a connection inside the
// process, with the credentials of the agent that called.
//
// So it is identified, decided, limited, priced, recorded, filtered and settled by the code that
// does it for every call to /UPSTREAM, and nothing here decides anything.
#ifndef REEVE_PROXY_JOIN_PART_H_
#define REEVE_PROXY_JOIN_PART_H_

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/exchange.h"
#include "proxy/http/parser.h"
#include "proxy/net/stream.h"

namespace reeve::join {

using OwnField = std::pair<std::string, std::string>;

// Who called, and what it said about itself: enough to call again in its name, also when its own
// connection has gone. Immutable.
struct Caller {
  explicit Caller(const Exchange& exchange);

  Peer peer;
  std::string authority;
  std::string query;             // with its `?`, or empty
  std::vector<OwnField> fields;  // but those that each part sets itself
};

// Call and answer. Of one worker's thread.
class Part {
 public:
  Part(Worker& worker, std::shared_ptr<const Caller> caller);

  // Called once, when there is a connection that could be cut.
  void on_open(std::function<void(net::Stream&)> opened) { on_open_ = std::move(opened); }
  // Sends and reads the answer's head. False: there is no room, or it was cancelled.
  net::Task<bool> begin(std::string_view method, std::string_view upstream,
                        std::vector<OwnField> fields, std::string body);

  int status() const { return status_; }
  bool is_events() const;
  bool is_json() const;
  // Of the answer's head; but framing and what is of one hop.
  const std::vector<OwnField>& fields() const { return fields_; }
  std::string_view field(std::string_view lower_case_name) const;

  // The next bytes of the answer; empty at its end and when it was cut short. The view lives until
  // the next call.
  net::Task<std::string_view> next();
  bool whole() const { return done_; }
  // The rest of it; nothing when it was cut short or has more than `most` bytes.
  net::Task<std::optional<std::string>> rest(size_t most);

  // Whoever waits goes on, and the part counts as hung up.
  void cancel();

 private:
  net::Task<bool> fill();

  Worker& worker_;
  const std::shared_ptr<const Caller> caller_;
  std::function<void(net::Stream&)> on_open_;
  std::optional<net::Stream> stream_;
  http::ResponseParser parser_;
  http::BodyDecoder decoder_;
  std::unique_ptr<char[]> buffer_;
  const size_t capacity_;
  size_t begin_ = 0, end_ = 0;
  int status_ = 0;
  std::vector<OwnField> fields_;
  bool done_ = false, cancelled_ = false;
};

}  // namespace reeve::join

#endif  // REEVE_PROXY_JOIN_PART_H_
