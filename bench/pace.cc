// An open-loop load generator: sends one request at a fixed rate over a number of keep-alive
// connections, whatever becomes of the ones before. Latency counts from when a request was due, so
// a server that stalls is charged for every request that had to wait (no coordinated omission).
//
// usage: bench_pace PORT CONNECTIONS RATE SECONDS REQUEST_FILE
// Prints one line of JSON; times are microseconds.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

// Counts by whole microseconds up to 1 ms, then in steps of 1 %: enough for any percentile.
class Latencies {
 public:
  void add(nanoseconds time) {
    ++counts_[slot(static_cast<double>(time.count()) / 1000)];
    ++total_;
  }
  size_t total() const { return total_; }
  double percentile(double p) const {
    const auto wanted = static_cast<size_t>(p / 100 * static_cast<double>(total_));
    size_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      if ((seen += counts_[i]) > wanted) return value(i);
    }
    return 0;
  }

 private:
  static constexpr size_t kLinear = 1000, kSteps = 2400;
  static double value(size_t slot) {
    if (slot < kLinear) return static_cast<double>(slot);
    double at = kLinear;
    for (size_t i = kLinear; i < slot; ++i) at *= 1.01;
    return at;
  }
  size_t slot(double us) const {
    if (us < kLinear) return static_cast<size_t>(std::max(us, 0.0));
    const auto found = std::upper_bound(bounds_.begin(), bounds_.end(), us);
    return std::min(kLinear + static_cast<size_t>(found - bounds_.begin()), counts_.size() - 1);
  }
  static std::vector<double> bounds() {
    std::vector<double> list;
    for (double at = kLinear * 1.01; list.size() < kSteps - 1; at *= 1.01) list.push_back(at);
    return list;
  }
  const std::vector<double> bounds_ = bounds();
  std::vector<size_t> counts_ = std::vector<size_t>(kLinear + kSteps);
  size_t total_ = 0;
};

struct Connection {
  int fd;
  Clock::time_point due;
  std::string in;
};

// Whether a whole answer is there; those of the benchmarks have a length.
bool whole(const std::string& in) {
  const size_t end = in.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  for (const char* name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
    const size_t at = in.find(name);
    if (at >= end) continue;
    return in.size() >= end + 4 + std::strtoul(in.c_str() + at + 18, nullptr, 10);
  }
  return true;
}

int dial(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    std::perror("bench_pace: connect");
    std::exit(1);
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

class Pace {
 public:
  Pace(uint16_t port, size_t connections, double rate, double seconds, std::string request)
      : request_(std::move(request)),
        step_(1e9 / rate),
        wanted_(static_cast<size_t>(rate * seconds)),
        epoll_(::epoll_create1(0)) {
    for (size_t i = 0; i < connections; ++i) {
      all_.push_back(std::make_unique<Connection>(Connection{dial(port), {}, {}}));
      epoll_event event{EPOLLIN, {.ptr = all_.back().get()}};
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, all_.back()->fd, &event);
      idle_.push_back(all_.back().get());
    }
  }

  // False when the server closed a connection.
  bool run() {
    start_ = Clock::now();
    const auto limit = due(wanted_) + std::chrono::seconds(5);
    while (latencies_.total() + errors_ < wanted_ && Clock::now() < limit) {
      send_due();
      if (!receive()) return false;
    }
    return true;
  }
  void print() const {
    std::printf("{\"requests\":%zu,\"errors\":%zu,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f}\n",
                latencies_.total(), wanted_ - latencies_.total(), latencies_.percentile(50),
                latencies_.percentile(99), latencies_.percentile(99.9));
  }

 private:
  Clock::time_point due(size_t number) const {
    return start_ + nanoseconds(static_cast<int64_t>(step_ * static_cast<double>(number)));
  }
  void send_due() {
    while (sent_ < wanted_ && !idle_.empty() && due(sent_) <= Clock::now()) {
      Connection* connection = idle_.back();
      idle_.pop_back();
      connection->due = due(sent_++);
      const auto size = static_cast<ssize_t>(request_.size());
      if (::send(connection->fd, request_.data(), request_.size(), MSG_NOSIGNAL) != size) {
        ++errors_;
        idle_.push_back(connection);
      }
    }
  }
  bool receive() {
    timespec wait{0, 5'000'000};
    if (sent_ < wanted_ && !idle_.empty()) {
      const auto left = std::clamp<nanoseconds>(due(sent_) - Clock::now(), nanoseconds(0),
                                                std::chrono::milliseconds(5));
      wait.tv_nsec = left.count();
    }
    epoll_event events[256];
    const int count = ::epoll_pwait2(epoll_, events, 256, &wait, nullptr);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      char buffer[16384];
      const ssize_t n = ::recv(connection->fd, buffer, sizeof buffer, MSG_DONTWAIT);
      if (n < 0) continue;
      if (n == 0) return std::fprintf(stderr, "bench_pace: the server closed\n"), false;
      connection->in.append(buffer, static_cast<size_t>(n));
      if (!whole(connection->in)) continue;
      if (connection->in.compare(9, 3, "200") == 0) {
        latencies_.add(Clock::now() - connection->due);
      } else {
        ++errors_;
      }
      connection->in.clear();
      idle_.push_back(connection);
    }
    return true;
  }

  const std::string request_;
  const double step_;  // nanoseconds between two requests
  const size_t wanted_;
  const int epoll_;
  std::vector<std::unique_ptr<Connection>> all_;
  std::vector<Connection*> idle_;
  Clock::time_point start_;
  size_t sent_ = 0, errors_ = 0;
  Latencies latencies_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: %s PORT CONNECTIONS RATE SECONDS REQUEST_FILE\n", argv[0]);
    return 2;
  }
  std::ifstream file(argv[5], std::ios::binary);
  std::string request((std::istreambuf_iterator<char>(file)), {});
  if (request.empty()) return std::fprintf(stderr, "%s is empty\n", argv[5]), 2;
  ::prctl(PR_SET_TIMERSLACK, 1);
  Pace pace(static_cast<uint16_t>(std::atoi(argv[1])), std::strtoul(argv[2], nullptr, 10),
            std::atof(argv[3]), std::atof(argv[4]), std::move(request));
  const bool good = pace.run();
  pace.print();
  return good ? 0 : 1;
}
