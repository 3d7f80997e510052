// Tested by tests/e2e/approval_test.mjs.
#include "proxy/commands/admin_client.h"

#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>
#include <cstdlib>
#include <optional>

#include "policy/json.h"
#include "proxy/http/parser.h"
#include "proxy/net/connect.h"

namespace reeve::commands {
namespace {

constexpr std::chrono::seconds kTimeout{30};
constexpr size_t kBodyBytes = 64 * 1024 * 1024;

using Asked = Result<AdminAnswer, AdminFailure>;

struct Request {
  Address address;
  std::string text;
};

// A listener on all addresses is reached on the loopback.
net::Endpoint endpoint_of(const Address& address) {
  auto ip = net::asio::ip::make_address(address.host);
  if (ip.is_unspecified()) {
    ip = ip.is_v6() ? net::asio::ip::address(net::asio::ip::address_v6::loopback())
                    : net::asio::ip::address(net::asio::ip::address_v4::loopback());
  }
  return net::asio::ip::tcp::endpoint(ip, address.port);
}

net::Task<Asked> read(net::Stream& stream) {
  const http::HeadLimits limits;
  http::ResponseParser parser(limits);
  parser.reset("GET");
  std::string in;
  char piece[16 * 1024];
  net::ErrorCode ec;
  for (;;) {
    const size_t n = co_await stream.read_some(piece, sizeof piece, ec);
    if (n == 0) co_return AdminFailure{"the sidecar hung up before it answered"};
    in.append(piece, n);
    const http::Progress progress = parser.parse(in);
    if (progress == http::Progress::kFault) co_return AdminFailure{parser.fault().detail};
    if (progress == http::Progress::kDone) break;
  }
  AdminAnswer answer{parser.head().status, {}};
  http::BodyDecoder decoder;
  decoder.start(parser.head().framing, parser.head().content_length);
  std::string rest = in.substr(parser.head_bytes());
  for (bool done =
           parser.head().framing == http::Framing::kNone ||
           (parser.head().framing == http::Framing::kLength && parser.head().content_length == 0);
       !done;) {
    size_t used = 0;
    while (!done && used < rest.size()) {
      const http::BodyDecoder::Step step = decoder.step(std::string_view(rest).substr(used));
      if (step.fault) co_return AdminFailure{step.fault.detail};
      answer.body += step.data;
      used += step.consumed;
      done = step.done;
      if (step.consumed == 0) break;
    }
    if (answer.body.size() > kBodyBytes)
      co_return AdminFailure{"the sidecar's answer is too large"};
    rest.erase(0, used);
    if (done) break;
    const size_t n = co_await stream.read_some(piece, sizeof piece, ec);
    if (n == 0) co_return AdminFailure{"the sidecar hung up in the middle of its answer"};
    rest.append(piece, n);
  }
  co_return answer;
}

net::Task<void> run(const Request& request, net::asio::io_context& context,
                    std::optional<Asked>& result) {
  net::Pending pending;
  auto connected =
      co_await net::connect(endpoint_of(request.address), context.get_executor(), nullptr, pending);
  if (!connected) {
    result.emplace(
        AdminFailure{fmt::format("no sidecar answers on {}: {}; start it with `reeve serve`",
                                 to_string(request.address), connected.error().message),
                     true});
    co_return;
  }
  net::Stream stream(std::move(*connected));
  if (!co_await stream.write(request.text)) {
    result.emplace(AdminFailure{"the sidecar hung up"});
    co_return;
  }
  result.emplace(co_await read(stream));
}

}  // namespace

Result<AdminAnswer, AdminFailure> ask_admin(const Address& address, const std::string& token,
                                            const std::string& method, const std::string& path,
                                            const std::string& body) {
  Request request{address, {}};
  const std::string bearer = "Bearer " + token;
  request.text = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n", method, path,
                             to_string(address), bearer);
  if (!body.empty()) {
    request.text +=
        fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  }
  request.text.append("Connection: close\r\n\r\n").append(body);
  std::optional<Asked> result;
  {
    net::asio::io_context context(1);
    net::spawn(context, run(request, context, result));
    context.run_for(kTimeout);
  }
  if (!result) return AdminFailure{"the sidecar did not answer in time"};
  return std::move(*result);
}

std::string operator_token(const AdminAccess& access) {
  const char* own = std::getenv("REEVE_TOKEN");
  return own != nullptr ? std::string(own) : access.token;
}

std::string detail_of(const AdminAnswer& answer) {
  json::Parser parser;
  const auto value = parser.parse(answer.body);
  const auto detail = value && value->is_object() ? value->find("detail") : std::nullopt;
  std::string scratch;
  if (detail && detail->is_string()) return std::string(detail->text(scratch));
  return fmt::format("the sidecar answers with status {}", answer.status);
}

}  // namespace reeve::commands
