// Requests are posted on a connection each, so that none waits for another; what has no answer is
// posted before what comes after it, so that nothing overtakes it. Tested by
// tests/proxy/event_channel_test.cc and end to end by tests/e2e/legacy_sse_upstream_test.mjs.
#include "proxy/stdio/event_channel.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "policy/path.h"
#include "proxy/dial.h"
#include "proxy/http/authority.h"
#include "proxy/log.h"
#include "proxy/mcp/reply.h"
#include "proxy/stdio/bridge.h"

namespace reeve::stdio {
namespace {

constexpr size_t kMostQueued = 32 * 1024 * 1024;
constexpr size_t kMostUnderWay = 256;
constexpr size_t kLongestEndpoint = 8 * 1024;
constexpr int kInternalError = -32603;

const auto kUnheard = [](std::exception_ptr) {};

// Whether both name one host and port; `port` stands for one that is not given.
bool same_authority(std::string_view said, std::string_view own, uint16_t port) {
  const auto a = http::parse_authority(said), b = http::parse_authority(own);
  return a && b && http::iequals(a->host, b->host) &&
         (a->port != 0 ? a->port : port) == (b->port != 0 ? b->port : port);
}

// A deadline of whatever it is that `cancel` ends.
template <class Cancel>
void end_after(net::Timer& timer, std::chrono::milliseconds patience, Cancel cancel) {
  timer.expires_after(patience);
  timer.async_wait([cancel = std::move(cancel)](net::ErrorCode ec) {
    if (!ec) cancel();
  });
}

}  // namespace

std::optional<std::string> resolve_endpoint(std::string_view said, const UpstreamConfig& upstream) {
  if (said.empty() || said.size() > kLongestEndpoint) return std::nullopt;
  const bool plain = std::all_of(said.begin(), said.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '#' && c != '\\' && c != '"';
  });
  if (!plain) return std::nullopt;
  const std::string_view base =
      upstream.base_path.empty() ? std::string_view("/") : upstream.base_path;
  const size_t query_at = std::min(said.find('?'), said.size());
  const size_t colon = said.substr(0, query_at).find(':');
  if (colon < said.find('/')) {  // with a scheme
    const bool secure = upstream.tls.has_value();
    const std::string_view scheme = secure ? "https:" : "http:";
    if (!http::iequals(said.substr(0, colon + 1), scheme)) return std::nullopt;
    said.remove_prefix(colon + 1);
    if (!said.starts_with("//")) return std::nullopt;
  }
  std::string path;
  if (said.starts_with("//")) {
    said.remove_prefix(2);
    const size_t end = std::min(said.find_first_of("/?"), said.size());
    if (!same_authority(said.substr(0, end), upstream.authority, upstream.tls ? 443 : 80)) {
      return std::nullopt;
    }
    said.remove_prefix(end);
    if (said.empty() || said.front() != '/') path = "/";
  } else if (said.front() == '?') {
    path = base;
  } else if (said.front() != '/') {
    path = base.substr(0, base.rfind('/') + 1);
  }
  const size_t query = std::min(said.find('?'), said.size());
  path += said.substr(0, query);
  policy::NormalPath normal;
  if (policy::normalise_path(path, true, normal) != nullptr) return std::nullopt;
  return normal.forward + std::string(said.substr(query));
}

Result<std::shared_ptr<Channel>> EventChannel::open(net::asio::io_context& context,
                                                    const UpstreamConfig& config,
                                                    const Reach& reach, size_t longest,
                                                    Events events) {
  const std::shared_ptr<EventChannel> channel(
      new EventChannel(context, config, reach, longest, std::move(events)));
  net::spawn(context, channel->listen(channel), kUnheard);
  return std::shared_ptr<Channel>(channel);
}

EventChannel::EventChannel(net::asio::io_context& context, const UpstreamConfig& config,
                           const Reach& reach, size_t longest, Events events)
    : context_(context),
      config_(config),
      reach_(reach),
      longest_(longest),
      events_(std::move(events)),
      patience_(context) {
  const tls::Credentials* credentials =
      reach_.credentials ? reach_.credentials(config.name) : nullptr;
  if (credentials) tls_.emplace(*credentials, config.server_name);
}

net::Task<std::vector<net::Endpoint>> EventChannel::find_places() {
  std::vector<net::Endpoint> places;
  if (!config_.unix_path.empty()) {
    places.emplace_back(net::asio::local::stream_protocol::endpoint(config_.unix_path));
    co_return places;
  }
  net::ErrorCode ec;
  const auto address = net::asio::ip::make_address(config_.host, ec);
  Lookups::Found found;
  if (ec) {
    found = co_await reach_.lookups->find(config_.host, config_.port);
  } else {
    found.endpoints.emplace_back(address, config_.port);
  }
  for (const auto& endpoint : found.endpoints) {
    if (!reach_.dial->forbidden_upstream(endpoint, static_cast<bool>(ec))) {
      places.emplace_back(endpoint);
    }
  }
  co_return places;
}

net::Task<std::optional<net::Stream>> EventChannel::connect(net::Pending& pending) {
  // An https upstream is never spoken to in the clear.
  if (config_.tls && !tls_) co_return std::nullopt;
  const auto places = co_await find_places();
  std::string why = "no address that may be dialled";
  for (const net::Endpoint& place : places) {
    if (ended_) break;
    net::Timer timer(context_);
    end_after(timer, config_.connect_timeout, [&pending] { pending.close(); });
    auto stream =
        co_await net::connect(place, context_.get_executor(), tls_ ? &*tls_ : nullptr, pending);
    timer.cancel();
    if (stream) co_return std::move(*stream);
    why = std::move(stream.error().message);
  }
  if (!ended_) log(LogLevel::kWarning, fmt::format("upstream `{}`: {}", config_.name, why));
  co_return std::nullopt;
}

std::string EventChannel::head(std::string_view method, std::string_view path,
                               size_t length) const {
  std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", method, path, config_.authority);
  if (method == "POST") {
    out += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", length);
    out += "Connection: close\r\n";
  } else {
    out += "Accept: text/event-stream\r\nCache-Control: no-store\r\n";
  }
  const http::FieldPolicy& fields = config_.fields;
  if (!fields.credential_name.empty()) {
    out += fmt::format("{}: {}\r\n", fields.credential_name, fields.credential_value);
  }
  return out + "\r\n";
}

std::shared_ptr<HttpExchange> EventChannel::new_exchange() {
  const auto exchange = std::make_shared<HttpExchange>(
      [this](net::Pending& pending) { return connect(pending); }, longest_);
  exchanges_.push_back(exchange);
  return exchange;
}

net::Task<void> EventChannel::listen(std::shared_ptr<EventChannel> self) {
  end_after(patience_, config_.timeout, [this, here = weak_from_this()] {
    if (here.lock()) end("it did not name its endpoint in time");
  });
  const auto exchange = new_exchange();
  const std::string path = config_.base_path.empty() ? "/" : config_.base_path;
  if (!co_await exchange->begin("GET", head("GET", path, 0), {})) {
    co_return end("its stream of events cannot be opened");
  }
  if (exchange->status() != 200 || !exchange->events()) {
    co_return end(fmt::format("it answered {} and no stream of events", exchange->status()));
  }
  mcp::EventStreamParser parser(longest_);
  const auto on_event = [this](const mcp::Event& event) { take(event); };
  for (;;) {
    const std::string_view data = co_await exchange->next();
    if (data.empty()) co_return end("its stream of events ended");
    if (!parser.feed(data, on_event)) {
      co_return end(fmt::format("it sent an event of more than {} bytes", longest_));
    }
    if (ended_) co_return;
  }
}

void EventChannel::take(const mcp::Event& event) {
  if (ended_ || event.comment || !event.has_data) return;
  if (event.name == "endpoint") return take_endpoint(event.data);
  if (!event.name.empty() && event.name != "message") return;
  if (endpoint_.empty()) return end("it sent a message before its endpoint");
  events_.on_line(event.data);
}

void EventChannel::take_endpoint(std::string_view said) {
  auto endpoint = resolve_endpoint(said, config_);
  if (!endpoint) {
    return end(fmt::format("its endpoint lies elsewhere, or is no URL: {}", said.substr(0, 200)));
  }
  if (!endpoint_.empty() && endpoint_ != *endpoint) return end("it names another endpoint");
  endpoint_ = std::move(*endpoint);
  patience_.cancel();
  post_queued();
}

bool EventChannel::write(std::string message) {
  if (ended_ || queued_bytes_ + message.size() > kMostQueued) return false;
  queued_bytes_ += message.size();
  queue_.push_back(std::move(message));
  post_queued();
  return true;
}

void EventChannel::post_queued() {
  if (endpoint_.empty() || posting_ || queue_.empty()) return;
  posting_ = true;
  net::spawn(context_, post_all(shared_from_this()), kUnheard);
}

net::Task<void> EventChannel::post_all(std::shared_ptr<EventChannel> self) {
  while (!queue_.empty() && !ended_) {
    std::string message = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= message.size();
    const auto read = read_outgoing(message);
    const bool asks = read && !read->id.empty() && !read->method.empty();
    const bool waits = !asks || read->method == "initialize" || exchanges_.size() > kMostUnderWay;
    auto posted = post(self, std::move(message), asks ? read->id : "");
    if (waits) {
      co_await std::move(posted);
    } else {
      net::spawn(context_, std::move(posted), kUnheard);
    }
  }
  posting_ = false;
}

net::Task<void> EventChannel::post(std::shared_ptr<EventChannel> self, std::string message,
                                   std::string id) {
  const auto exchange = new_exchange();
  net::Timer timer(context_);
  end_after(timer, config_.timeout, [exchange] { exchange->cancel(); });
  std::string why;
  if (!co_await exchange->begin("POST", head("POST", endpoint_, message.size()), message)) {
    why = "the server cannot be reached";
  } else if (exchange->status() / 100 != 2) {
    why = fmt::format("the server refused the message with HTTP status {}", exchange->status());
  }
  timer.cancel();
  exchange->cancel();  // what else it answers is of no use: the answer comes on the stream
  exchanges_.remove(exchange);
  if (why.empty() || ended_) co_return;
  log(LogLevel::kWarning, fmt::format("upstream `{}`: {}", config_.name, why));
  if (!id.empty()) events_.on_line(mcp::error_body(id, kInternalError, why));
}

void EventChannel::end(std::string_view why) {
  if (std::exchange(ended_, true)) return;
  log(LogLevel::kWarning, fmt::format("upstream `{}`: {}", config_.name, why));
  const Events events = std::exchange(events_, {});
  cancel_all();
  events.on_end();
}

void EventChannel::stop() {
  if (std::exchange(ended_, true)) return;
  events_ = {};
  cancel_all();
}

void EventChannel::cancel_all() {
  queue_.clear();
  patience_.cancel();
  for (const auto& exchange : exchanges_) exchange->cancel();
}

}  // namespace reeve::stdio
