// The server that benchmarks call: one thread, epoll, answers every request with a JSON-RPC result
// that carries the request's id and 1 KiB of text. It reads just enough HTTP to be cheap, so that
// it is never what is measured; it is no server for anything else.
//
// usage: bench_origin PORT | bench_origin stdio
// `stdio` is the same as an MCP server on standard input and output, for mcp-proxy.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

// The body's length, or 0; `head_end` is behind the empty line.
size_t content_length(std::string_view head) {
  for (const char* name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
    const size_t at = head.find(name);
    if (at != head.npos) return std::strtoul(head.data() + at + std::strlen(name), nullptr, 10);
  }
  return 0;
}

std::string result(std::string_view body) {
  std::string id = "null";
  const size_t at = body.find("\"id\":");
  if (at != body.npos) {
    const size_t end = body.find_first_of(",}", at);
    id = std::string(body.substr(at + 5, end - at - 5));
  }
  const std::string head = "{\"jsonrpc\":\"2.0\",\"id\":" + id + ",\"result\":";
  if (body.find("\"initialize\"") != body.npos) {
    return head +
           "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},"
           "\"serverInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}";
  }
  if (body.find("\"ping\"") != body.npos) return head + "{}}";
  return head + "{\"content\":[{\"type\":\"text\",\"text\":\"" + std::string(930, 'x') + "\"}]}}";
}

std::string answer(std::string_view body) {
  const std::string json = result(body);
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(json.size()) + "\r\n\r\n" + json;
}

// Answers all requests that are whole; false when the connection is to be closed.
bool serve(int fd, std::string& in) {
  std::string out;
  for (;;) {
    const size_t end = in.find("\r\n\r\n");
    if (end == in.npos) break;
    const size_t length = content_length(std::string_view(in).substr(0, end));
    if (in.size() < end + 4 + length) break;
    out += answer(std::string_view(in).substr(end + 4, length));
    in.erase(0, end + 4 + length);
  }
  return out.empty() ||
         ::send(fd, out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size());
}

// One message a line; notifications get no answer.
int serve_stdio() {
  std::string line;
  for (int c = std::getchar(); c != EOF; c = std::getchar()) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    if (line.find("\"id\":") != line.npos) {
      const std::string out = result(line) + "\n";
      std::fwrite(out.data(), 1, out.size(), stdout);
      std::fflush(stdout);
    }
    line.clear();
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: bench_origin PORT | stdio\n"), 2;
  if (std::string_view(argv[1]) == "stdio") return serve_stdio();
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(argv[1])));
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, 1024) != 0) {
    return std::perror("bench_origin"), 1;
  }
  const int epoll = ::epoll_create1(0);
  epoll_event event{EPOLLIN, {.fd = listener}};
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  std::unordered_map<int, std::string> connections;
  for (epoll_event events[256];;) {
    const int count = ::epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        const int accepted = ::accept(listener, nullptr, nullptr);
        if (accepted < 0) continue;
        ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_event readable{EPOLLIN, {.fd = accepted}};
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &readable);
        connections[accepted];
        continue;
      }
      char buffer[16384];
      const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
      std::string& in = connections[fd];
      if (n > 0) in.append(buffer, static_cast<size_t>(n));
      if (n <= 0 || !serve(fd, in)) {
        ::close(fd);
        connections.erase(fd);
      }
    }
  }
}
