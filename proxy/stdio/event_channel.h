// A server that speaks HTTP+SSE (MCP 2024-11-05, basic/transports): one stream of events from it,
// and a POST for each message to it.
//
// The stream's first event names where to post; it may lie nowhere but at the stream's own origin,
// so that neither messages nor the credential go to whom a server points at.
#ifndef REEVE_PROXY_STDIO_EVENT_CHANNEL_H_
#define REEVE_PROXY_STDIO_EVENT_CHANNEL_H_

#include <deque>
#include <list>
#include <optional>

#include "proxy/config.h"
#include "proxy/lookups.h"
#include "proxy/mcp/event_stream.h"
#include "proxy/stdio/channel.h"
#include "proxy/stdio/http_exchange.h"
#include "proxy/tls/client.h"

namespace reeve {
class DialRules;
}

namespace reeve::stdio {

// What servers are reached with; all of it outlives whoever uses it.
struct Reach {
  Lookups* lookups = nullptr;
  const DialRules* dial = nullptr;
  std::function<const tls::Credentials*(std::string_view upstream)> credentials;
};

// Where to post: path and query of what an `endpoint` event says, read beside the stream's URL
// (RFC 3986, 5.2). Nothing when it lies at another origin, or can be read in two ways.
std::optional<std::string> resolve_endpoint(std::string_view said, const UpstreamConfig& upstream);

class EventChannel : public Channel, public std::enable_shared_from_this<EventChannel> {
 public:
  // Connects in the background: what is written waits for the endpoint. `config` and what `reach`
  // points to outlive it. An event longer than `longest` bytes ends it.
  static Result<std::shared_ptr<Channel>> open(net::asio::io_context& context,
                                               const UpstreamConfig& config, const Reach& reach,
                                               size_t longest, Events events);

  bool write(std::string message) override;
  void stop() override;
  bool ended() const override { return ended_; }

 private:
  EventChannel(net::asio::io_context& context, const UpstreamConfig& config, const Reach& reach,
               size_t longest, Events events);
  net::Task<std::optional<net::Stream>> connect(net::Pending& pending);
  net::Task<std::vector<net::Endpoint>> find_places();
  std::string head(std::string_view method, std::string_view path, size_t length) const;
  std::shared_ptr<HttpExchange> new_exchange();
  net::Task<void> listen(std::shared_ptr<EventChannel> self);
  void take(const mcp::Event& event);
  void take_endpoint(std::string_view said);
  void post_queued();
  net::Task<void> post_all(std::shared_ptr<EventChannel> self);
  net::Task<void> post(std::shared_ptr<EventChannel> self, std::string message, std::string id);
  void end(std::string_view why);
  void cancel_all();

  net::asio::io_context& context_;
  const UpstreamConfig& config_;
  const Reach reach_;
  const size_t longest_;
  Events events_;
  std::optional<tls::Client> tls_;
  std::string endpoint_;  // path and query; empty until the server has said it
  std::list<std::shared_ptr<HttpExchange>> exchanges_;
  std::deque<std::string> queue_;
  size_t queued_bytes_ = 0;
  net::Timer patience_;  // for the endpoint
  bool posting_ = false, ended_ = false;
};

}  // namespace reeve::stdio

#endif  // REEVE_PROXY_STDIO_EVENT_CHANNEL_H_
