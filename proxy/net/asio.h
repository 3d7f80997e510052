// The Asio types of the proxy, in one place.
//
// Every thread runs an io_context of its own, so sockets name its executor type: an erased
// any_io_executor costs an allocation and a virtual call per operation (../../bench/README.md).
#ifndef REEVE_PROXY_NET_ASIO_H_
#define REEVE_PROXY_NET_ASIO_H_

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/wait_traits.hpp>

#include "proxy/net/await.h"
#include "proxy/net/task.h"

namespace reeve::net {

namespace asio = boost::asio;

using ErrorCode = boost::system::error_code;
using Executor = asio::io_context::executor_type;

// Of TCP and Unix sockets alike.
using Endpoint = asio::generic::stream_protocol::endpoint;
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;
using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;

}  // namespace reeve::net

#endif  // REEVE_PROXY_NET_ASIO_H_
