// Tested against a real server by tests/proxy/fleet_test.cc and tests/e2e/fleet_test.mjs.
#include "proxy/fleet/pq.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cstring>

namespace reeve::fleet {
namespace {

// Each by its own name and type, so that a wrong one does not compile.
struct Libpq {
#define REEVE_PQ(name) decltype(&::PQ##name) name = nullptr
  REEVE_PQ(connectStartParams);
  REEVE_PQ(connectPoll);
  REEVE_PQ(conninfoParse);
  REEVE_PQ(conninfoFree);
  REEVE_PQ(status);
  REEVE_PQ(socket);
  REEVE_PQ(errorMessage);
  REEVE_PQ(finish);
  REEVE_PQ(setnonblocking);
  REEVE_PQ(setNoticeProcessor);
  REEVE_PQ(sendQueryParams);
  REEVE_PQ(flush);
  REEVE_PQ(consumeInput);
  REEVE_PQ(isBusy);
  REEVE_PQ(getResult);
  REEVE_PQ(resultStatus);
  REEVE_PQ(resultErrorField);
  REEVE_PQ(ntuples);
  REEVE_PQ(nfields);
  REEVE_PQ(getvalue);
  REEVE_PQ(getlength);
  REEVE_PQ(getisnull);
  REEVE_PQ(clear);
  REEVE_PQ(notifies);
  REEVE_PQ(freemem);
#undef REEVE_PQ
  std::string missing;  // why it cannot be used
};

Libpq load() {
  Libpq pq;
  void* const library = ::dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    pq.missing = "`fleet` needs libpq.so.5; install it (Debian: apt install libpq5)";
    return pq;
  }
  const auto find = [&](auto& function, const char* name) {
    function =
        reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
    if (function == nullptr) pq.missing = fmt::format("libpq.so.5 has no `{}`; update it", name);
  };
#define REEVE_PQ(name) find(pq.name, "PQ" #name)
  REEVE_PQ(connectStartParams);
  REEVE_PQ(connectPoll);
  REEVE_PQ(conninfoParse);
  REEVE_PQ(conninfoFree);
  REEVE_PQ(status);
  REEVE_PQ(socket);
  REEVE_PQ(errorMessage);
  REEVE_PQ(finish);
  REEVE_PQ(setnonblocking);
  REEVE_PQ(setNoticeProcessor);
  REEVE_PQ(sendQueryParams);
  REEVE_PQ(flush);
  REEVE_PQ(consumeInput);
  REEVE_PQ(isBusy);
  REEVE_PQ(getResult);
  REEVE_PQ(resultStatus);
  REEVE_PQ(resultErrorField);
  REEVE_PQ(ntuples);
  REEVE_PQ(nfields);
  REEVE_PQ(getvalue);
  REEVE_PQ(getlength);
  REEVE_PQ(getisnull);
  REEVE_PQ(clear);
  REEVE_PQ(notifies);
  REEVE_PQ(freemem);
#undef REEVE_PQ
  return pq;
}

const Libpq& pq() {
  static const Libpq loaded = load();
  return loaded;
}

// What libpq says, in one line.
std::string one_line(const char* message) {
  std::string text = message == nullptr ? "" : message;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::replace(text.begin(), text.end(), '\t', ' ');
  return text;
}

std::string without(std::string text, const std::string& secret) {
  for (size_t at = 0; !secret.empty() && (at = text.find(secret, at)) != std::string::npos;) {
    text.replace(at, secret.size(), "***");
    at += 3;
  }
  return text;
}

struct ResultDeleter {
  void operator()(PGresult* result) const { pq().clear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, ResultDeleter>;

Rows rows_of(const PGresult* result) {
  Rows rows(static_cast<size_t>(pq().ntuples(result)));
  const int columns = pq().nfields(result);
  for (size_t row = 0; row < rows.size(); ++row) {
    const int at = static_cast<int>(row);
    for (int column = 0; column < columns; ++column) {
      if (pq().getisnull(result, at, column)) {
        rows[row].emplace_back();
      } else {
        rows[row].emplace_back(
            std::string(pq().getvalue(result, at, column),
                        static_cast<size_t>(pq().getlength(result, at, column))));
      }
    }
  }
  return rows;
}

std::optional<std::string> password_in(const std::string& url) {
  PQconninfoOption* const options = pq().conninfoParse(url.c_str(), nullptr);
  if (options == nullptr) return std::nullopt;
  std::string password;
  for (const PQconninfoOption* o = options; o->keyword != nullptr; ++o) {
    if (std::strcmp(o->keyword, "password") == 0 && o->val != nullptr) password = o->val;
  }
  pq().conninfoFree(options);
  return password;
}

}  // namespace

Result<bool> load_libpq() {
  if (!pq().missing.empty()) return Error{pq().missing};
  return true;
}

Result<bool> check_url(const std::string& url) {
  if (password_in(url)) return true;
  return Error{
      "`fleet.database` is no URL of PostgreSQL; write "
      "postgres://USER:PASSWORD@HOST:5432/NAME?sslmode=verify-full, with `%40` for an @ in it"};
}

Result<std::unique_ptr<Connection>, DbError> Connection::open(const std::string& url,
                                                              const std::string& name,
                                                              Clock::time_point deadline) {
  const char* const keywords[] = {"dbname", "fallback_application_name", "client_encoding",
                                  nullptr};
  const char* const values[] = {url.c_str(), name.c_str(), "UTF8", nullptr};
  pg_conn* const started = pq().connectStartParams(keywords, values, 1);
  if (started == nullptr) return DbError{"out of memory", ""};
  std::unique_ptr<Connection> connection(new Connection(started, password_in(url).value_or("")));
  pq().setNoticeProcessor(started, [](void*, const char*) {}, nullptr);
  if (pq().status(started) == CONNECTION_BAD) return connection->failure();
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) return connection->failure();
    if (!connection->wait(next == PGRES_POLLING_WRITING, deadline)) {
      return DbError{"it does not answer", ""};
    }
    next = pq().connectPoll(started);
  }
  if (pq().setnonblocking(started, 1) != 0) return connection->failure();
  return connection;
}

Connection::~Connection() { pq().finish(connection_); }

int Connection::socket() const { return pq().socket(connection_); }

std::string Connection::clean(std::string message) const {
  return without(std::move(message), password_);
}

DbError Connection::failure() const {
  return {clean(one_line(pq().errorMessage(connection_))), ""};
}

bool Connection::wait(bool for_writing, Clock::time_point deadline) const {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  if (left <= 0) return false;
  pollfd waiting{pq().socket(connection_), static_cast<short>(for_writing ? POLLOUT : POLLIN), 0};
  return ::poll(&waiting, 1, static_cast<int>(left) + 1) != 0;
}

Result<Rows, DbError> Connection::query(const char* sql, const std::vector<std::string>& parameters,
                                        Clock::time_point deadline) {
  const DbError silent{"it does not answer", ""};
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  if (pq().sendQueryParams(connection_, sql, static_cast<int>(values.size()), nullptr,
                           values.data(), nullptr, nullptr, 0) != 1) {
    return failure();
  }
  for (int left; (left = pq().flush(connection_)) != 0;) {
    if (left < 0) return failure();
    if (!wait(true, deadline)) return silent;
  }
  Rows rows;
  std::optional<DbError> error;
  while (true) {
    while (pq().isBusy(connection_)) {
      if (!wait(false, deadline)) return silent;
      if (pq().consumeInput(connection_) != 1) return failure();
    }
    const ResultHandle result(pq().getResult(connection_));
    if (result == nullptr) break;
    const ExecStatusType status = pq().resultStatus(result.get());
    if (status == PGRES_TUPLES_OK) {
      rows = rows_of(result.get());
    } else if (status != PGRES_COMMAND_OK && !error) {
      const char* code = pq().resultErrorField(result.get(), PG_DIAG_SQLSTATE);
      const char* text = pq().resultErrorField(result.get(), PG_DIAG_MESSAGE_PRIMARY);
      if (code == nullptr) return failure();
      error = DbError{clean(one_line(text)), code};
    }
  }
  if (error) return std::move(*error);
  return rows;
}

std::optional<std::vector<Notification>> Connection::notifications() {
  if (pq().consumeInput(connection_) != 1) return std::nullopt;
  std::vector<Notification> heard;
  while (PGnotify* const one = pq().notifies(connection_)) {
    heard.push_back({one->relname, one->extra});
    pq().freemem(one);
  }
  return heard;
}

}  // namespace reeve::fleet
