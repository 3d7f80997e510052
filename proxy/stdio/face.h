// One connection of a worker to a server that is started by a command.
#ifndef REEVE_PROXY_STDIO_FACE_H_
#define REEVE_PROXY_STDIO_FACE_H_

#include <boost/asio/local/stream_protocol.hpp>
#include <memory>

#include "proxy/stdio/server.h"

namespace reeve::stdio {

using FaceSocket = net::asio::basic_stream_socket<net::asio::local::stream_protocol, net::Executor>;

// Serves requests on `socket` until its other end is closed.
net::Task<void> serve_face(FaceSocket socket, Service& service);

}  // namespace reeve::stdio

#endif  // REEVE_PROXY_STDIO_FACE_H_
