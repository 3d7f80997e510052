// What tests of an upstream's pool share: an event loop, an agent's connection, and servers on
// loopback that accept and keep quiet.
#ifndef REEVE_TESTS_PROXY_UPSTREAM_BENCH_H_
#define REEVE_TESTS_PROXY_UPSTREAM_BENCH_H_

#include <boost/asio/ip/address.hpp>
#include <catch2/catch.hpp>
#include <list>
#include <memory>
#include <vector>

#include "proxy/upstream/upstream.h"

namespace reeve {

struct UpstreamBench {
  std::unique_ptr<Connection> caller() {
    return std::make_unique<Connection>(net::Socket(context), listener);
  }
  // Runs until the task and everything it began has ended.
  void run(net::Task<void> task) {
    std::exception_ptr failure;
    net::spawn(context, std::move(task), [&](std::exception_ptr e) { failure = e; });
    context.run();
    context.restart();
    if (failure) std::rethrow_exception(failure);
  }
  UpstreamMeans means() {
    return {context, lookups, dial, servers, http::HeadLimits{1024}, buffers};
  }

  net::asio::io_context context{1};
  ListenerConfig listener;
  Config wiring;
  Lookups lookups;
  DialRules dial{wiring};
  stdio::Server servers{wiring};
  Buffers buffers{4096};
};

// Listens on an address of loopback, and lets the kernel accept.
struct QuietServer {
  QuietServer(net::asio::io_context& context, const char* address, uint16_t port = 0)
      : acceptor(context) {
    const net::asio::ip::tcp::endpoint at(net::asio::ip::make_address(address), port);
    acceptor.open(at.protocol());
    acceptor.set_option(net::asio::socket_base::reuse_address(true));
    acceptor.bind(at);
    acceptor.listen();
  }
  net::asio::ip::tcp::endpoint endpoint() const { return acceptor.local_endpoint(); }
  uint16_t port() const { return endpoint().port(); }

  net::asio::basic_socket_acceptor<net::asio::ip::tcp, net::Executor> acceptor;
};

}  // namespace reeve

#endif  // REEVE_TESTS_PROXY_UPSTREAM_BENCH_H_
