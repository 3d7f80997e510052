// The fleet's database: a connection and a thread of its own, on which everything that blocks runs.
//
// Whoever needs the database gives it jobs: once (post), every so often (every), or for each NOTIFY
// on a channel (listen). A job gets a Session, which connects when it is first asked; one that
// fails is not tried again for a moment, so that jobs learn at once that the database is away.
// Connections are made anew, and LISTEN with them, without anybody's doing; what was notified
// meanwhile is lost, so whoever listens looks for itself when `heard` is called with nothing.
#ifndef REEVE_PROXY_FLEET_DATABASE_H_
#define REEVE_PROXY_FLEET_DATABASE_H_

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "policy/result.h"
#include "proxy/fleet/pq.h"

namespace reeve::fleet {

// The connection, as a job has it. Of the database's thread.
class Session {
 public:
  // A statement is given up after this.
  static constexpr std::chrono::seconds kPatience{3};

  // `connected` is called after each new connection.
  Session(std::string url, std::string name, std::function<void(Session&)> connected)
      : url_(std::move(url)), name_(std::move(name)), connected_(std::move(connected)) {}

  // One statement, on a connection that is made if there is none and no transaction has begun.
  Result<Rows, DbError> query(const char* sql, const std::vector<std::string>& parameters = {});

  // Runs `body` between BEGIN and COMMIT; what it says is false, or fails, is rolled back. An error
  // of COMMIT: it may have been done.
  Result<bool, DbError> transaction(const std::function<Result<bool, DbError>(Session&)>& body);

  bool connected() const { return connection_ != nullptr; }
  void disconnect() { connection_.reset(); }

 private:
  friend class Database;
  Result<bool, DbError> connect();
  Result<Rows, DbError> run(const char* sql, const std::vector<std::string>& parameters);

  const std::string url_;
  const std::string name_;
  const std::function<void(Session&)> connected_;
  std::unique_ptr<Connection> connection_;
  bool in_transaction_ = false;
  std::optional<DbError> failed_;  // to connect
  Connection::Clock::time_point again_;
};

class Database {
 public:
  using Job = std::function<void(Session&)>;
  // `payload` is nothing after each new connection.
  using Heard = std::function<void(Session&, std::optional<std::string_view> payload)>;

  // Loads libpq. `instance` is shown by the server as the application's name.
  static Result<std::unique_ptr<Database>> open(std::string url, const std::string& instance);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Before start(). A channel is a plain name: letters, digits, `_`.
  void every(std::chrono::milliseconds pace, Job job);
  void listen(std::string channel, Heard heard);

  void start();
  // Thread-safe. In order; jobs that are posted before stop() are run.
  void post(Job job);
  // Ends the thread after what was posted. Later calls do nothing.
  void stop();

 private:
  struct Repeated {
    std::chrono::milliseconds pace;
    Job job;
    Connection::Clock::time_point next;
  };
  struct Listener {
    std::string channel;
    Heard heard;
  };

  Database(std::string url, const std::string& instance, int wake);
  void run();
  void wait();
  void hear();
  void connected(Session& session);

  const int wake_;  // eventfd
  std::vector<Repeated> repeated_;
  std::vector<Listener> listeners_;
  Session session_;  // of the thread
  std::mutex mutex_;
  std::vector<Job> posted_;  // guarded by mutex_
  bool stopping_ = false;    // guarded by mutex_
  std::thread thread_;
};

}  // namespace reeve::fleet

#endif  // REEVE_PROXY_FLEET_DATABASE_H_
