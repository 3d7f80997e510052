// Tested against a real server by tests/proxy/fleet_test.cc.
#include "proxy/fleet/database.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace reeve::fleet {
namespace {

using Clock = Connection::Clock;

// A database that could not be reached is left alone for so long.
constexpr std::chrono::milliseconds kPause{500};
constexpr std::chrono::milliseconds kLongest{1000};

}  // namespace

Result<bool, DbError> Session::connect() {
  if (failed_ && Clock::now() < again_) return *failed_;
  const auto deadline = Clock::now() + kPatience;
  auto opened = Connection::open(url_, name_, deadline);
  const auto refuse = [this](DbError why) {
    connection_.reset();
    failed_ = std::move(why);
    again_ = Clock::now() + kPause;
    return *failed_;
  };
  if (!opened) return refuse(std::move(opened.error()));
  connection_ = std::move(*opened);
  // No statement outlives the patience of who waits for it, and no lock its transaction.
  constexpr const char* kSettings[] = {"SET statement_timeout = '3s'", "SET lock_timeout = '2s'",
                                       "SET idle_in_transaction_session_timeout = '5s'"};
  for (const char* setting : kSettings) {
    if (auto done = connection_->query(setting, {}, deadline); !done) {
      return refuse(std::move(done.error()));
    }
  }
  failed_.reset();
  connected_(*this);
  return true;
}

Result<Rows, DbError> Session::run(const char* sql, const std::vector<std::string>& parameters) {
  auto rows = connection_->query(sql, parameters, Clock::now() + kPatience);
  // Without a code, or of the classes of lost connections and of servers that shut down.
  if (!rows && (rows.error().code.empty() || rows.error().code.starts_with("08") ||
                rows.error().code.starts_with("57P"))) {
    connection_.reset();
  }
  return rows;
}

Result<Rows, DbError> Session::query(const char* sql, const std::vector<std::string>& parameters) {
  if (connection_ == nullptr) {
    if (in_transaction_) return DbError{"the connection was lost", ""};
    if (auto done = connect(); !done) return done.error();
  }
  if (connection_ == nullptr) return DbError{"the connection was lost", ""};
  return run(sql, parameters);
}

Result<bool, DbError> Session::transaction(
    const std::function<Result<bool, DbError>(Session&)>& body) {
  if (auto begun = query("BEGIN ISOLATION LEVEL READ COMMITTED"); !begun) return begun.error();
  in_transaction_ = true;
  auto done = body(*this);
  if (!done || !*done) {
    if (connection_ != nullptr) (void)run("ROLLBACK", {});
    in_transaction_ = false;
    return done;
  }
  auto committed = query("COMMIT");
  in_transaction_ = false;
  if (!committed) {
    connection_.reset();
    return committed.error();
  }
  return true;
}

Result<std::unique_ptr<Database>> Database::open(std::string url, const std::string& instance) {
  if (auto loaded = load_libpq(); !loaded) return loaded.error();
  if (auto checked = check_url(url); !checked) return checked.error();
  const int wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) return Error{fmt::format("no eventfd: {}", std::strerror(errno))};
  return std::unique_ptr<Database>(new Database(std::move(url), instance, wake));
}

Database::Database(std::string url, const std::string& instance, int wake)
    : wake_(wake),
      session_(std::move(url), "reeve " + instance, [this](Session& s) { connected(s); }) {}

Database::~Database() {
  stop();
  ::close(wake_);
}

void Database::every(std::chrono::milliseconds pace, Job job) {
  repeated_.push_back({pace, std::move(job), Clock::now()});
}

void Database::listen(std::string channel, Heard heard) {
  listeners_.push_back({std::move(channel), std::move(heard)});
}

void Database::start() {
  thread_ = std::thread([this] { run(); });
}

void Database::post(Job job) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(job));
  }
  const uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof one);
}

void Database::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  post([](Session&) {});
  thread_.join();
}

void Database::connected(Session& session) {
  for (const Listener& listener : listeners_) {
    const std::string sql = "LISTEN " + listener.channel;
    if (!session.query(sql.c_str())) return;
    listener.heard(session, std::nullopt);
  }
}

void Database::hear() {
  if (!session_.connected()) return;
  const auto heard = session_.connection_->notifications();
  if (!heard) return session_.disconnect();
  for (const Notification& one : *heard) {
    for (const Listener& listener : listeners_) {
      if (listener.channel == one.channel) listener.heard(session_, one.payload);
    }
  }
}

// Until something is due, posted, or has come from the server.
void Database::wait() {
  auto until = Clock::now() + kLongest;
  for (const Repeated& each : repeated_) until = std::min(until, each.next);
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
  pollfd waiting[2] = {{wake_, POLLIN, 0}, {-1, POLLIN, 0}};
  if (session_.connected()) waiting[1].fd = session_.connection_->socket();
  ::poll(waiting, 2, static_cast<int>(std::max<int64_t>(left, 0)) + (left > 0 ? 1 : 0));
  uint64_t count;
  (void)!::read(wake_, &count, sizeof count);
}

void Database::run() {
  while (true) {
    wait();
    std::vector<Job> jobs;
    bool stopping = false;
    {
      const std::lock_guard lock(mutex_);
      jobs.swap(posted_);
      stopping = stopping_;
    }
    for (const Job& job : jobs) job(session_);
    if (stopping) break;
    for (Repeated& each : repeated_) {
      if (Clock::now() < each.next) continue;
      each.job(session_);
      each.next = Clock::now() + each.pace;
    }
    if (!listeners_.empty() && !session_.connected()) (void)session_.connect();
    hear();
  }
  session_.disconnect();
}

}  // namespace reeve::fleet
