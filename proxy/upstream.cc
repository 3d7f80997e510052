// The newest idle connection is used first, so that the others age and are closed. Before a reuse
// the socket is looked at: an upstream that has hung up meanwhile costs a new connection, not the
// call. Tested end to end by tests/e2e.
#include "proxy/upstream.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <charconv>
#include <cstring>

namespace reeve {
namespace {

constexpr size_t kBodyRoom = 16 * 1024;
constexpr size_t kIdlePerUpstream = 256;
// Node's servers close idle connections after 5 s without saying so in HTTP.
constexpr std::chrono::milliseconds kIdle{4000};

constexpr std::chrono::seconds kResolvedFor{10};

using Resolver = net::asio::ip::basic_resolver<net::asio::ip::tcp, net::Executor>;

// `Keep-Alive: timeout=N`: how long the upstream keeps the connection, with a second to spare.
std::chrono::milliseconds keep_alive_time(const http::Fields& fields) {
  const auto value = fields.single("keep-alive");
  if (!value) return kIdle;
  const size_t at = value->find("timeout=");
  if (at == std::string_view::npos) return kIdle;
  unsigned seconds = 0;
  std::from_chars(value->data() + at + 8, value->data() + value->size(), seconds);
  if (seconds <= 1) return std::chrono::milliseconds(0);
  return std::chrono::seconds(std::min(seconds - 1, 60u));
}

}  // namespace

UpstreamConnection::UpstreamConnection(net::Socket socket, const http::HeadLimits& limits)
    : stream(std::move(socket)),
      parser(limits),
      buffer(new char[limits.head_bytes + kBodyRoom]),
      capacity(limits.head_bytes + kBodyRoom) {}

void UpstreamConnection::remember_head() {
  const http::ResponseHead& head = parser.head();
  keep_for = head.keep_alive ? keep_alive_time(head.fields) : std::chrono::milliseconds(0);
}

void UpstreamConnection::consume(size_t bytes) {
  begin += bytes;
  if (begin == end) begin = end = 0;
}

net::Task<size_t> UpstreamConnection::fill(net::ErrorCode& ec) {
  if (end == capacity && begin > 0) {
    std::memmove(buffer.get(), buffer.get() + begin, end - begin);
    end -= begin;
    begin = 0;
  }
  const size_t n = co_await stream.read_some(buffer.get() + end, capacity - end, ec);
  end += n;
  co_return n;
}

Upstream::Upstream(const UpstreamConfig& config, Label label, const http::HeadLimits& limits,
                   net::asio::io_context& context, stdio::Server& servers)
    : config_(config), label_(label), limits_(limits), context_(context), servers_(servers) {}

Upstream::~Upstream() = default;

// Names are looked up again after a while; an answer that fails then leaves the last one in use.
net::Task<net::ErrorCode> Upstream::resolve() {
  net::ErrorCode ec;
  if (steady_now() < resolved_until_) co_return ec;
  const auto address = net::asio::ip::make_address(config_.host, ec);
  if (!ec) {
    resolved_ = {{address, config_.port}};
    resolved_until_ = Steady::max();
    co_return ec;
  }
  Resolver resolver(context_.get_executor());
  const auto found = co_await resolver.async_resolve(config_.host, std::to_string(config_.port),
                                                     net::asio::redirect_error(net::kAwait, ec));
  if (ec && resolved_.empty()) co_return ec;
  resolved_until_ = steady_now() + kResolvedFor;
  if (!ec) {
    resolved_.clear();
    for (const auto& entry : found) resolved_.push_back(entry.endpoint());
  }
  co_return net::ErrorCode{};
}

net::Task<Result<std::unique_ptr<UpstreamConnection>>> Upstream::connect(bool fresh,
                                                                         net::Socket** pending,
                                                                         const bool& given_up) {
  const Steady now = steady_now();
  while (!fresh && !idle_.empty()) {
    std::unique_ptr<UpstreamConnection> connection = std::move(idle_.back());
    idle_.pop_back();
    if (now >= connection->idle_until || connection->stream.spoiled()) continue;
    connection->reused = true;
    co_return connection;
  }
  if (!config_.command.words.empty()) co_return connect_to_command();
  net::ErrorCode ec = co_await resolve();
  if (ec) co_return Error{fmt::format("`{}` cannot be resolved: {}", config_.host, ec.message())};
  const std::vector<net::asio::ip::tcp::endpoint> endpoints = resolved_;
  for (const auto& endpoint : endpoints) {
    if (given_up) break;
    net::Socket socket(context_.get_executor());
    *pending = &socket;
    co_await socket.async_connect(endpoint, net::asio::redirect_error(net::kAwait, ec));
    *pending = nullptr;
    if (given_up) break;
    if (!ec) co_return std::make_unique<UpstreamConnection>(std::move(socket), limits_);
  }
  co_return Error{given_up ? std::string("given up")
                           : fmt::format("{}:{}: {}", config_.host, config_.port, ec.message())};
}

Result<std::unique_ptr<UpstreamConnection>> Upstream::connect_to_command() {
  const auto descriptor = servers_.open(config_.name);
  if (!descriptor) return descriptor.error();
  net::Socket socket(context_.get_executor());
  net::ErrorCode ec;
  socket.assign(net::asio::ip::tcp::v4(), *descriptor, ec);
  if (ec) {
    ::close(*descriptor);
    return Error{ec.message()};
  }
  return std::make_unique<UpstreamConnection>(std::move(socket), limits_);
}

void Upstream::pin(std::vector<net::asio::ip::tcp::endpoint> addresses) {
  resolved_ = std::move(addresses);
  resolved_until_ = Steady::max();
}

void Upstream::keep(std::unique_ptr<UpstreamConnection> connection, Steady now) {
  // Bytes that nobody asked for are never the start of somebody's answer.
  const bool unasked = connection->begin != connection->end;
  if (unasked || connection->keep_for.count() == 0 || idle_.size() >= kIdlePerUpstream) return;
  connection->idle_until = now + connection->keep_for;
  idle_.push_back(std::move(connection));
}

void Upstream::sweep(Steady now) {
  std::erase_if(idle_, [now](const auto& connection) { return now >= connection->idle_until; });
}

}  // namespace reeve
