// Where an upstream can be reached: the addresses of its URLs' hosts, looked up again while they
// are used.
//
// Nobody waits for a look-up but the first call: an old answer serves while a new one is under way,
// and when that fails the last good one stays. The system's resolver tells no time to live, so an
// answer is old after 5 s. Of one worker.
#ifndef REEVE_PROXY_UPSTREAM_ADDRESSES_H_
#define REEVE_PROXY_UPSTREAM_ADDRESSES_H_

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "proxy/config.h"
#include "proxy/connection.h"
#include "proxy/dial.h"
#include "proxy/lookups.h"
#include "proxy/stdio/server.h"
#include "proxy/upstream/connection.h"

namespace reeve {

// What an upstream works with; all of it outlives it.
struct UpstreamMeans {
  net::asio::io_context& context;
  Lookups& lookups;
  const DialRules& dial;
  stdio::Server& servers;  // those that are started by a command
  http::HeadLimits limits;
  Buffers& buffers;  // of more bytes than a head may have
};

class Addresses {
 public:
  static constexpr std::chrono::seconds kFreshFor{5};
  static constexpr std::chrono::seconds kBetweenLookups{1};  // at least, however calls fail
  static constexpr size_t kMost = 32;                        // of one name; more are no service's

  // A host of the upstream's URLs, as the admin side shows it.
  struct Site {
    std::string host;
    uint16_t port = 0;
    std::string authority;  // as sent in Host
    bool named = false;     // else the host is an address
    bool looking = false;
    bool known = false;  // a look-up has succeeded
    Steady looked_up{};  // when the last one ended
    std::string error;   // of the last one; empty: it succeeded
  };

  Addresses(const UpstreamConfig& config, const UpstreamMeans& means);
  ~Addresses();

  // Those that may be dialled now; empty until the first look-up has ended.
  const std::vector<std::shared_ptr<UpstreamAddress>>& list() const { return list_; }
  const std::vector<Site>& sites() const { return sites_; }
  // These and no others; nothing is looked up.
  void pin(const Endpoints& endpoints);

  // Begins to look up what is old. To be called by every call.
  void freshen(Steady now) {
    if (now >= old_at_) look_up_old(now);
  }
  // The same at once, because the address's connect has failed.
  void doubt(const UpstreamAddress& address, Steady now);
  bool looking() const;
  // Returns when a look-up has ended, or caller.waiting was cancelled from outside.
  net::Task<void> wait(Connection& caller);
  // Why there is no address: a sentence for the log.
  std::string error() const;

  // A site's addresses are these from now on: what is known of those that stay stays, kept
  // connections to those that go are closed.
  void replace(size_t site, const Endpoints& endpoints);

 private:
  void look_up_old(Steady now);
  void start(size_t site);
  net::Task<void> look_up(size_t site);
  Lookups::Found checked(Lookups::Found found, bool named) const;

  const UpstreamMeans means_;
  std::vector<Site> sites_;
  std::vector<std::shared_ptr<UpstreamAddress>> list_;
  Steady old_at_{};  // when the first of the sites is due
  std::list<net::Timer*> waiting_;
};

}  // namespace reeve

#endif  // REEVE_PROXY_UPSTREAM_ADDRESSES_H_
