// Tested end to end by tests/e2e/join_test.mjs.
#include "proxy/join/part.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "proxy/worker.h"

namespace reeve::join {
namespace {

// What a part says for itself: framing, and what belongs to one upstream.
constexpr std::string_view kOwn[] = {"host",
                                     "content-length",
                                     "transfer-encoding",
                                     "connection",
                                     "keep-alive",
                                     "te",
                                     "trailer",
                                     "upgrade",
                                     "expect",
                                     "accept-encoding",
                                     "mcp-session-id",
                                     "mcp-name",
                                     "mcp-method",
                                     "content-type",
                                     "mcp-protocol-version",
                                     "last-event-id",
                                     "accept"};
constexpr size_t kRoom = 16 * 1024;

bool among(std::span<const std::string_view> names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view each) { return http::iequals(each, name); });
}

bool media_is(std::string_view type, std::string_view wanted) {
  type = type.substr(0, type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return http::iequals(type, wanted);
}

}  // namespace

Caller::Caller(const Exchange& x)
    : peer{&x.connection.listener, x.connection.loopback, x.connection.uid, x.connection.svid},
      authority(x.head.authority),
      query(x.head.has_query ? "?" + std::string(x.head.query) : std::string()) {
  for (const http::Field& field : x.head.fields.list) {
    if (!among(kOwn, field.name)) fields.emplace_back(field.name, field.value);
  }
}

Part::Part(Worker& worker, std::shared_ptr<const Caller> caller)
    : worker_(worker),
      caller_(std::move(caller)),
      parser_({worker.services().config.limits.header_bytes}),
      capacity_(worker.services().config.limits.header_bytes + kRoom) {}

net::Task<bool> Part::begin(std::string_view method, std::string_view upstream,
                            std::vector<OwnField> fields, std::string body) {
  if (cancelled_) co_return false;
  auto opened = worker_.open_inner(caller_->peer);
  if (!opened) co_return false;
  stream_.emplace(std::move(*opened));
  if (on_open_) on_open_(*stream_);
  buffer_.reset(new char[capacity_]);
  std::string out = fmt::format("{} /{}{} HTTP/1.1\r\nHost: {}\r\n", method, upstream,
                                caller_->query, caller_->authority);
  fields.insert(fields.begin(), caller_->fields.begin(), caller_->fields.end());
  for (const auto& [name, value] : fields) out += fmt::format("{}: {}\r\n", name, value);
  out += method == "GET" ? "Accept: text/event-stream\r\n"
                         : "Accept: application/json, text/event-stream\r\n";
  if (method == "POST") {
    out += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  }
  out += "Connection: close\r\n\r\n";
  out += body;
  if (!co_await stream_->write(out)) co_return false;
  parser_.reset(method);
  for (;;) {
    if (!co_await fill()) co_return false;
    const http::Progress progress = parser_.parse({buffer_.get(), end_});
    if (progress == http::Progress::kFault) co_return false;
    if (progress == http::Progress::kDone) break;
  }
  const http::ResponseHead& head = parser_.head();
  status_ = head.status;
  for (const http::Field& field : head.fields.list) {
    std::string name(field.name);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    fields_.emplace_back(std::move(name), field.value);
  }
  decoder_.start(head.framing, head.content_length);
  done_ = head.framing == http::Framing::kNone ||
          (head.framing == http::Framing::kLength && head.content_length == 0);
  begin_ = parser_.head_bytes();
  co_return true;
}

bool Part::is_events() const { return media_is(field("content-type"), "text/event-stream"); }
bool Part::is_json() const { return media_is(field("content-type"), "application/json"); }

std::string_view Part::field(std::string_view name) const {
  for (const auto& [each, value] : fields_) {
    if (each == name) return value;
  }
  return {};
}

net::Task<bool> Part::fill() {
  if (end_ == capacity_) co_return false;
  net::ErrorCode ec;
  const size_t n = co_await stream_->read_some(buffer_.get() + end_, capacity_ - end_, ec);
  end_ += n;
  co_return n > 0;
}

net::Task<std::string_view> Part::next() {
  while (!done_ && !cancelled_) {
    const http::BodyDecoder::Step step = decoder_.step({buffer_.get() + begin_, end_ - begin_});
    begin_ += step.consumed;
    done_ = step.done;
    if (!step.data.empty()) co_return step.data;
    if (step.fault || done_) break;
    if (step.consumed > 0) continue;
    begin_ = end_ = 0;
    if (!co_await fill()) {
      done_ = decoder_.complete_at_close() && !cancelled_;
      break;
    }
  }
  co_return std::string_view{};
}

net::Task<std::optional<std::string>> Part::rest(size_t most) {
  std::string all;
  for (;;) {
    const std::string_view data = co_await next();
    if (data.empty()) break;
    if (all.size() + data.size() > most) co_return std::nullopt;
    all += data;
  }
  if (!done_) co_return std::nullopt;
  co_return all;
}

void Part::cancel() {
  cancelled_ = true;
  if (stream_) stream_->close();
}

}  // namespace reeve::join
