// Tested by tests/proxy/upstream_pool_test.cc, and end to end by tests/e2e.
#include "proxy/upstream/connection.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace reeve {
namespace {

// Node's servers close idle connections after 5 s without saying so in HTTP.
constexpr std::chrono::milliseconds kIdle{4000};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::chrono::milliseconds keep_alive_time(const http::Fields& fields) {
  const auto value = fields.single("keep-alive");
  if (!value) return kIdle;
  std::chrono::milliseconds time = kIdle;
  for (std::string_view rest = *value; !rest.empty();) {
    const size_t comma = rest.find(',');
    const std::string_view part = trimmed(rest.substr(0, comma));
    rest = comma == rest.npos ? std::string_view{} : rest.substr(comma + 1);
    const size_t equals = part.find('=');
    if (equals == part.npos) continue;
    const std::string_view name = trimmed(part.substr(0, equals));
    const std::string_view digits = trimmed(part.substr(equals + 1));
    unsigned number = 0;
    const auto [at, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (ec == std::errc::result_out_of_range) number = 3600;
    if (ec == std::errc::invalid_argument || at != digits.data() + digits.size()) continue;
    if (http::iequals(name, "max") && number == 0) return std::chrono::milliseconds(0);
    if (http::iequals(name, "timeout")) {
      time = std::chrono::seconds(number <= 1 ? 0 : std::min(number - 1, 60u));
    }
  }
  return time;
}

UpstreamConnection::UpstreamConnection(net::Stream opened, std::shared_ptr<UpstreamAddress> to,
                                       const http::HeadLimits& limits, Buffers& from)
    : stream(std::move(opened)), address(std::move(to)), parser(limits), buffers(from) {
  ++address->open;
}

UpstreamConnection::~UpstreamConnection() {
  --address->open;
  if (probes) address->health.forgone();
}

void UpstreamConnection::remember_head() {
  const http::ResponseHead& head = parser.head();
  keep_for = head.keep_alive ? keep_alive_time(head.fields) : std::chrono::milliseconds(0);
}

void UpstreamConnection::consume(size_t bytes) {
  begin += bytes;
  if (begin == end) begin = end = 0;
}

void UpstreamConnection::rest() {
  begin = end = 0;
  if (buffer) buffers.give(std::move(buffer));
}

net::Task<size_t> UpstreamConnection::fill(net::ErrorCode& ec) {
  for (;;) {
    if (!buffer) buffer = buffers.take();
    if (end == buffers.bytes() && begin > 0) {
      std::memmove(buffer.get(), buffer.get() + begin, end - begin);
      end -= begin;
      begin = 0;
    }
    size_t n = 0;
    if (stream.read_at_once(buffer.get() + end, buffers.bytes() - end, n, ec)) {
      end += n;
      co_return n;
    }
    if (begin == end) rest();
    if (co_await stream.wait_to_read()) {
      ec = net::asio::error::operation_aborted;
      co_return 0;
    }
  }
}

}  // namespace reeve
