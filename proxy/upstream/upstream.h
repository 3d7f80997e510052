// Connections to one upstream, kept alive and used again; one pool per worker.
//
// Calls go round the addresses that answer; of each address the connection used last is used first,
// so that the others age and are closed. README.md says when a call is tried again.
#ifndef REEVE_PROXY_UPSTREAM_UPSTREAM_H_
#define REEVE_PROXY_UPSTREAM_UPSTREAM_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/result.h"
#include "proxy/config.h"
#include "proxy/connection.h"
#include "proxy/metrics.h"
#include "proxy/tls/client.h"
#include "proxy/upstream/addresses.h"
#include "proxy/upstream/connection.h"
#include "proxy/upstream/gate.h"
#include "proxy/upstream/status.h"

namespace reeve {

class Upstream {
 public:
  static constexpr unsigned kMostTries = 8;  // connections that one call may try

  // How far one call has got.
  struct Tries {
    unsigned count = 0;                                  // connections that it has tried
    bool fresh = false;                                  // kept ones are not to be used any more
    bool repeated = false;                               // it was sent, and will be sent once more
    std::optional<net::asio::ip::tcp::endpoint> prefer;  // where its session is
    std::vector<std::shared_ptr<UpstreamAddress>> failed;

   private:
    friend class Upstream;
    UpstreamAddress* next = nullptr;  // chosen by try_kept()
    bool looked_up = false;           // the name, anew, because all addresses had failed
    Steady connect_by{};
  };

  // Why there is no connection.
  struct Unreached {
    bool timed_out = false;  // something did not accept in time
    bool tls = false;        // something could not be trusted, or failed in its handshake
    std::string detail;      // a sentence for the log
  };
  using Reached = Result<std::unique_ptr<UpstreamConnection>, Unreached>;

  // `credentials` are those of an https:// upstream, else null; they must outlive this.
  Upstream(const UpstreamConfig& config, Label label, const UpstreamMeans& means,
           const tls::Credentials* credentials = nullptr);

  const UpstreamConfig& config() const { return config_; }
  Label label() const { return label_; }
  // As sent in Host over this connection.
  const std::string& authority(const UpstreamConnection& over) const {
    return addresses_.sites()[over.address->site].authority;
  }
  // A call has a place while it has a connection or seeks one.
  Gate& gate() { return gate_; }
  // As far as is known; neither before the first look-up.
  bool has_several_addresses() const { return addresses_.list().size() > 1; }
  bool has_one_address() const { return addresses_.list().size() == 1; }

  // A kept connection to the address whose turn it is, still open as far as can be seen. Null when
  // there is none at once: connect() goes on from there.
  std::unique_ptr<UpstreamConnection> try_kept(Tries& tries, Steady now);
  // A connection to the first address that accepts, within `connect_timeout` for all of them.
  // caller.connecting, caller.connecting_until and caller.waiting are for those who end it from
  // outside.
  net::Task<Reached> connect(Connection& caller, Tries& tries);
  // Connects to these addresses only; nothing is looked up.
  void pin(const Endpoints& endpoints) { addresses_.pin(endpoints); }

  // What a call has found out about the address of its connection.
  void answered(UpstreamConnection& over, int status, Steady now);
  void failed(UpstreamConnection& over, Trouble trouble, std::string_view detail, Steady now);

  // Gives a connection back whose last message ended cleanly.
  void keep(std::unique_ptr<UpstreamConnection> connection, Steady now);
  // Closes connections that have been idle for too long.
  void sweep(Steady now);
  void close_idle();

  // What the admin side shows of this worker's part.
  UpstreamStatus status(Steady now, policy::Time wall) const;

 private:
  std::string name_of(const UpstreamAddress& address) const;
  UpstreamAddress* choose(const Tries& tries, Steady now);
  std::unique_ptr<UpstreamConnection> kept(UpstreamAddress& address, Tries& tries, Steady now);
  net::Task<bool> look_up(Connection& caller, Tries& tries);
  net::Task<Result<net::Stream, Unreached>> connect_to(net::asio::ip::tcp::endpoint endpoint,
                                                       Connection& caller, Steady until);
  Result<net::Stream, Unreached> connect_to_face();
  std::chrono::milliseconds share(const Tries& tries, Steady now) const;
  void failed(UpstreamAddress& address, Trouble trouble, std::string_view detail, Steady now);
  size_t idle() const;
  void make_room();

  const UpstreamConfig& config_;
  const Label label_;
  const UpstreamMeans means_;
  std::optional<tls::Client> client_;  // before the connections, which hand it their sessions
  Addresses addresses_;
  Gate gate_;
  size_t turn_ = 0;      // in addresses_.list()
  uint32_t random_ = 1;  // spreads ejections; no secret
};

}  // namespace reeve

#endif  // REEVE_PROXY_UPSTREAM_UPSTREAM_H_
