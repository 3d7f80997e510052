// Which requests are meant for a listener: DNS rebinding, web pages, the forward proxy's form.
#include "proxy/origin.h"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

namespace reeve {
namespace {

struct Row {
  bool loopback;
  const char* host;
  const char* origin;  // null: none
  bool let_in;
};

constexpr Row kRows[] = {
    {true, "127.0.0.1:8700", nullptr, true},
    {true, "localhost:8700", nullptr, true},
    {true, "LOCALHOST", nullptr, true},
    {true, "[::1]:8700", nullptr, true},
    {true, "127.9.9.9", nullptr, true},
    {true, "evil.example", nullptr, false},
    {true, "127.0.0.1.evil.example", nullptr, false},
    {true, "127.evil.example", nullptr, false},
    {true, "localhost.evil.example", nullptr, false},
    {true, "10.0.0.1", nullptr, false},
    {true, "127.0.0.1:8700", "http://127.0.0.1:8700", true},
    {true, "127.0.0.1:8700", "http://localhost:3000", true},
    {true, "127.0.0.1:8700", "http://evil.example", false},
    {true, "127.0.0.1:8700", "http://localhost.evil.example", false},
    {true, "127.0.0.1:8700", "http://127.0.0.1:8700.evil.example", false},
    {true, "127.0.0.1:8700", "http://localhost:80@evil.example", false},
    {true, "127.0.0.1:8700", "null", false},
    {true, "127.0.0.1:8700", "file://localhost", false},
    {true, "127.0.0.1:8700", "", false},
    {false, "sidecar.internal:8700", nullptr, true},
    {false, "sidecar.internal:8700", "http://sidecar.internal:8700", true},
    {false, "sidecar.internal:8700", "http://sidecar.internal:9000", false},
    {false, "sidecar.internal:8700", "https://evil.example", false},
};

TEST_CASE("foreign hosts and origins are refused") {
  boost::asio::io_context context(1);
  for (const Row& row : kRows) {
    CAPTURE(row.loopback, row.host, row.origin ? row.origin : "none");
    ListenerConfig listener{"local", {row.loopback ? "127.0.0.1" : "0.0.0.0", 8700}, {}};
    Connection connection(net::Socket(context), listener);
    connection.loopback = row.loopback;
    http::RequestHead head;
    head.authority = row.host;
    if (row.origin) head.fields.list.push_back({"Origin", row.origin});
    CHECK((foreign_origin(head, connection) == nullptr) == row.let_in);
    if (row.origin) {
      head.fields.list.push_back({"Origin", row.origin});
      CHECK(foreign_origin(head, connection) != nullptr);
    }
  }
}

TEST_CASE("absolute form is an ordinary request only for the listener's own authority") {
  boost::asio::io_context context(1);
  ListenerConfig listener{"local", {"127.0.0.1", 8700}, {}};
  Connection connection(net::Socket(context), listener);
  connection.loopback = true;
  http::RequestHead head;
  head.authority = "example.com";
  CHECK(names_listener(head, connection));  // origin form
  head.scheme = "http";
  CHECK_FALSE(names_listener(head, connection));
  head.authority = "127.0.0.1:8700";
  CHECK(names_listener(head, connection));
  head.authority = "localhost:8700";
  CHECK(names_listener(head, connection));
  head.authority = "127.0.0.1:9999";
  CHECK_FALSE(names_listener(head, connection));
  head.authority = "127.0.0.1";
  CHECK_FALSE(names_listener(head, connection));
}

}  // namespace
}  // namespace reeve
