// libpq behind a few types: loaded when a fleet is configured, and only then, so that a sidecar of
// one host needs none.
//
// A connection never blocks beyond a deadline: it is driven without blocking, and dropped when the
// server does not answer in time. What a statement that was given up has done is not known. Used by
// one thread.
//
// Messages never contain the password.
#ifndef REEVE_PROXY_FLEET_PQ_H_
#define REEVE_PROXY_FLEET_PQ_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/result.h"

struct pg_conn;

namespace reeve::fleet {

struct DbError {
  std::string message;
  std::string code;  // SQLSTATE; empty: the connection failed
};

// Nothing is SQL's NULL.
using Row = std::vector<std::optional<std::string>>;
using Rows = std::vector<Row>;

// What LISTEN has brought.
struct Notification {
  std::string channel;
  std::string payload;
};

// Loads libpq.so.5, once in a process. The error says what to install. Thread-safe.
Result<bool> load_libpq();

// Whether libpq can read the URL; the error does not repeat it, for its password. Needs libpq.
Result<bool> check_url(const std::string& url);

class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  // `name` is shown by the server as the application's. Needs libpq.
  static Result<std::unique_ptr<Connection>, DbError> open(const std::string& url,
                                                           const std::string& name,
                                                           Clock::time_point deadline);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // One statement; $1, $2, … are `parameters`, as text. After an error without a code the
  // connection is of no use any more.
  Result<Rows, DbError> query(const char* sql, const std::vector<std::string>& parameters,
                              Clock::time_point deadline);

  // To be polled for reading between queries.
  int socket() const;
  // What has come; nothing when the connection is lost.
  std::optional<std::vector<Notification>> notifications();

 private:
  Connection(pg_conn* connection, std::string password)
      : connection_(connection), password_(std::move(password)) {}
  DbError failure() const;
  bool wait(bool for_writing, Clock::time_point deadline) const;
  std::string clean(std::string message) const;

  pg_conn* connection_;
  std::string password_;
};

}  // namespace reeve::fleet

#endif  // REEVE_PROXY_FLEET_PQ_H_
