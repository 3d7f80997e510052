// The readiness of sockets: that no event is lost and none reaches the wrong one.
#include "proxy/net/loop.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/stream.h"

namespace reeve::net {
namespace {

// Two ends of a TCP connection: a stream on the loop, and a plain socket.
struct Pair {
  explicit Pair(asio::io_context& context) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    peer = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::connect(peer, reinterpret_cast<sockaddr*>(&at), size) == 0);
    Socket accepted(context);
    accepted.assign(asio::ip::tcp::v4(), ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    ::close(listener);
    stream = std::make_unique<Stream>(std::move(accepted));
  }
  ~Pair() { hang_up(); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  void say(std::string_view text) const {
    REQUIRE(::send(peer, text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  void hang_up() {
    if (peer >= 0) ::close(peer);
    peer = -1;
  }

  std::unique_ptr<Stream> stream;
  int peer = -1;
};

// All that comes, `size` bytes at a time; a `|` between reads, `.` at the end, `!` on an error.
Task<void> read_all(Stream& stream, size_t size, std::string& seen) {
  std::string buffer(size, '\0');
  for (;;) {
    ErrorCode ec;
    const size_t n = co_await stream.read_some(buffer.data(), size, ec);
    if (n == 0) {
      seen += ec == asio::error::eof ? '.' : '!';
      co_return;
    }
    seen.append(buffer, 0, n).append(1, '|');
  }
}

TEST_CASE("an end that comes after everything was read is noticed, with the bytes or alone") {
  asio::io_context context;
  Pair pair(context);
  std::string seen;
  spawn(context, read_all(*pair.stream, 100, seen));
  context.poll();
  SECTION("alone") {
    pair.say("one");
    context.poll();
    CHECK(seen == "one|");
    pair.hang_up();
  }
  SECTION("with the bytes, in one event") {
    pair.say("one");
    pair.hang_up();
  }
  SECTION("as half a close") {
    pair.say("one");
    ::shutdown(pair.peer, SHUT_WR);
  }
  context.run();
  CHECK(seen == "one|.");
}

TEST_CASE("what is read in small pieces is read to its last byte") {
  asio::io_context context;
  Pair pair(context);
  std::string seen;
  spawn(context, read_all(*pair.stream, 2, seen));
  pair.say("abcd");  // exactly two reads: a third finds nothing
  context.poll();
  CHECK(seen == "ab|cd|");
  pair.say("e");
  context.poll();
  CHECK(seen == "ab|cd|e|");
  pair.hang_up();
  context.run();
  CHECK(seen == "ab|cd|e|.");
}

TEST_CASE("a reset is an error, for who reads and for who looks") {
  asio::io_context context;
  Pair pair(context);
  std::string seen;
  spawn(context, read_all(*pair.stream, 100, seen));
  context.poll();
  const linger at_once{1, 0};
  ::setsockopt(pair.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  pair.hang_up();
  context.run();
  CHECK(seen == "!");
  CHECK(pair.stream->spoiled());
}

TEST_CASE("a close ends a read with an error, not before the closer has gone on") {
  asio::io_context context;
  Pair pair(context);
  std::string seen;
  spawn(context, read_all(*pair.stream, 100, seen));
  context.poll();
  SECTION("close") { pair.stream->close(); }
  SECTION("cancel") { pair.stream->cancel(); }
  SECTION("the stream is gone by then") { pair.stream.reset(); }
  CHECK(seen.empty());
  context.run();
  CHECK(seen == "!");
}

Task<void> close_after_read(Stream& own, Stream& other, std::string& seen) {
  std::array<char, 10> buffer;
  ErrorCode ec;
  if (co_await own.read_some(buffer.data(), buffer.size(), ec) > 0) seen += 'r';
  other.close();
  if (ec) seen += '!';
}

TEST_CASE("two of one batch may close each other") {
  asio::io_context context;
  Pair one(context), two(context);
  std::string seen;
  spawn(context, close_after_read(*one.stream, *two.stream, seen));
  spawn(context, close_after_read(*two.stream, *one.stream, seen));
  context.poll();
  one.say("x");
  two.say("x");
  context.run();
  CHECK(seen == "r!");
  CHECK_FALSE(one.stream->is_open());
  CHECK_FALSE(two.stream->is_open());
}

// Closes `other`, whose event is in the same batch, and lets a new connection have its number.
Task<void> replace_after_read(asio::io_context& context, Stream& own, std::unique_ptr<Pair>& other,
                              std::string& seen) {
  std::array<char, 10> buffer;
  ErrorCode ec;
  co_await own.read_some(buffer.data(), buffer.size(), ec);
  const int number = other->stream->native_handle();
  other.reset();
  other = std::make_unique<Pair>(context);
  REQUIRE(other->stream->native_handle() == number);  // given out lowest first
  spawn(context, read_all(*other->stream, 10, seen));
}

TEST_CASE("an event of a socket that was closed in its batch does not reach the next one") {
  asio::io_context context;
  Pair first(context);
  auto second = std::make_unique<Pair>(context);
  std::string old, fresh;
  spawn(context, replace_after_read(context, *first.stream, second, fresh));
  spawn(context, read_all(*second->stream, 10, old));
  context.poll();
  first.say("x");
  second->say("for the old one");
  context.poll();
  CHECK(fresh.empty());
  second->say("new");
  context.poll();
  CHECK(fresh == "new|");
  second->hang_up();
  context.run();
  CHECK(fresh == "new|.");
}

Task<void> write_all(Stream& stream, std::string_view bytes, bool& written) {
  written = co_await stream.write(bytes);
}

TEST_CASE("a write that finds no room goes on when there is some, beside a read") {
  asio::io_context context;
  Pair pair(context);
  const std::string large(8 * 1024 * 1024, 'w');
  std::string seen;
  bool written = false;
  spawn(context, read_all(*pair.stream, 10, seen));
  spawn(context, write_all(*pair.stream, large, written));
  context.poll();
  CHECK_FALSE(written);
  pair.say("hi");
  context.poll();
  CHECK(seen == "hi|");
  size_t got = 0;
  std::string buffer(256 * 1024, '\0');
  while (got < large.size()) {
    const ssize_t n = ::recv(pair.peer, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n > 0) got += static_cast<size_t>(n);
    context.poll();
  }
  CHECK(written);
  pair.hang_up();
  context.run();
}

TEST_CASE("a hundred sockets, more than one batch has room for with their ends") {
  constexpr size_t kSockets = 200;
  asio::io_context context;
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::string> seen(kSockets);
  for (size_t i = 0; i < kSockets; ++i) {
    pairs.push_back(std::make_unique<Pair>(context));
    spawn(context, read_all(*pairs[i]->stream, 16, seen[i]));
  }
  context.poll();
  CHECK(Loop::of(context).waiting() == kSockets);
  for (int round = 0; round < 3; ++round) {
    for (const auto& pair : pairs) pair->say("x");
    context.poll();
    for (const std::string& one : seen) {
      REQUIRE(one.size() == 2 * (static_cast<size_t>(round) + 1));
    }
  }
  for (const auto& pair : pairs) pair->hang_up();
  context.run();  // ends, for nobody waits any more
  for (const std::string& one : seen) CHECK(one == "x|x|x|.");
  CHECK(Loop::of(context).waiting() == 0);
}

TEST_CASE("an idle connection is spoiled by bytes or an end that nobody asked for") {
  asio::io_context context;
  Pair pair(context);
  std::array<char, 10> buffer;
  size_t got = 0;
  ErrorCode ec;
  pair.say("x");
  REQUIRE(pair.stream->read_at_once(buffer.data(), buffer.size(), got, ec));
  CHECK_FALSE(pair.stream->spoiled());
  SECTION("bytes") { pair.say("y"); }
  SECTION("an end") { pair.hang_up(); }
  Loop::of(context).look();
  CHECK(pair.stream->spoiled());
}

TEST_CASE("a context that ends takes along who waits for its sockets") {
  std::string seen;
  std::unique_ptr<Pair> pair;
  {
    asio::io_context context;
    pair = std::make_unique<Pair>(context);
    spawn(context, read_all(*pair->stream, 10, seen));
    context.poll();
    context.stop();
    pair->stream->cancel();
  }
  CHECK(seen.empty());
  CHECK(pair->stream->is_open());  // it may still be closed
}

}  // namespace
}  // namespace reeve::net
