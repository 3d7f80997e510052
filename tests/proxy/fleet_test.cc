// The fleet's parts against a real PostgreSQL: the store passes the suite of the one in memory,
// fails over, and says what is wrong; the database's thread runs jobs and hears notifications.
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>

#include "proxy/fleet/database.h"
#include "proxy/fleet/member_store.h"
#include "proxy/fleet/postgres_leases.h"
#include "proxy/store/sqlite_store.h"
#include "tests/support/lease_store_suite.h"

namespace reeve::fleet {
namespace {

using namespace std::chrono_literals;

// A folder for servers of a test; ends them.
class Servers {
 public:
  Servers() {
    std::string name = (std::filesystem::temp_directory_path() / "reeve-fleet-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
    std::filesystem::permissions(folder_, std::filesystem::perms(0755));
  }
  ~Servers() {
    for (const auto& each : std::filesystem::directory_iterator(folder_)) {
      if (!std::filesystem::is_directory(each)) continue;
      (void)std::system(
          fmt::format("{} stop {} immediate 2>/dev/null", kScript, each.path().string()).c_str());
    }
    std::filesystem::remove_all(folder_);
  }
  void run(const std::string& command, const std::string& name, const std::string& more = "") {
    std::filesystem::create_directory(folder_ / name);
    const std::string line =
        fmt::format("{} {} {} {} >&2", kScript, command, (folder_ / name).string(), more);
    INFO(line);
    REQUIRE(std::system(line.c_str()) == 0);
  }
  int start(const std::string& name) {
    const int port = free_port();
    run("start", name, std::to_string(port));
    return port;
  }
  int replica(const std::string& name, const std::string& from) {
    const int port = free_port();
    run("replica", name, fmt::format("{} {}", port, (folder_ / from).string()));
    return port;
  }
  std::string password(const std::string& name) const {
    std::string text;
    std::ifstream(folder_ / name / "password") >> text;
    return text;
  }
  std::string url(const std::string& name, int port) const {
    return fmt::format("postgres://reeve:{}@127.0.0.1:{}/reeve", password(name), port);
  }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }

 private:
  static constexpr const char* kScript = REEVE_SOURCE_DIR "/deploy/scratch-postgres";
  static int free_port();
  std::filesystem::path folder_;
};

int Servers::free_port() {
  const int one = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(one, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(one, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ::close(one);
  return ntohs(address.sin_port);
}

Session session_of(const std::string& url) {
  REQUIRE(load_libpq());
  return Session(url, "reeve test", [](Session&) {});
}

TEST_CASE("leases in PostgreSQL keep what every store must, and survive a failover",
          "[fleet][postgres]") {
  Servers servers;
  const int port = servers.start("a");
  Session session = session_of(servers.url("a", port));
  PostgresLeases store(session);
  policy::lease_store_suite(store, "first");
  policy::lease_store_suite(store, "second");

  // A replica that does not get what was allowed, and is promoted. Its members say what they hold.
  const int other = servers.replica("b", "a");
  Session of_two = session_of(servers.url("a", port));
  PostgresLeases store_of_two(of_two);
  policy::SuiteMember one(store, "one");
  policy::SuiteMember two(store_of_two, "two");
  REQUIRE(one.ask(policy::suite_line("lost", 0, 10)).answers.at(0).held == 10);
  REQUIRE(two.ask(policy::suite_line("lost", 0, 0)).answers.at(0).taken == 10);
  servers.run("cut", "b");
  REQUIRE(one.ask(policy::suite_line("lost", 10, 90)).answers.at(0).held == 90);
  servers.run("stop", "a", "immediate");
  servers.run("promote", "b");
  Session next_of_one = session_of(servers.url("b", other));
  Session next_of_two = session_of(servers.url("b", other));
  PostgresLeases next_one(next_of_one);
  PostgresLeases next_two(next_of_two);
  two.move_to(next_two);
  const policy::Reply waits = two.ask(policy::suite_line("lost", 0, 50));
  CHECK(waits.waited_for == std::vector<std::string>{"one"});
  CHECK(waits.answers.at(0).held == 0);
  one.move_to(next_one);
  (void)one.ask(policy::suite_line("lost", 90, 90));
  const policy::Reply after = two.ask(policy::suite_line("lost", 0, 50));
  CHECK(after.grants);
  CHECK(after.answers.at(0).held == 10);
  CHECK(after.answers.at(0).taken == 100);
}

TEST_CASE("what is wrong with a database is said, and never its password", "[fleet][postgres]") {
  Servers servers;
  const int port = servers.start("a");
  const std::string good = servers.url("a", port);
  policy::Exchange exchange;
  exchange.member = "m";
  exchange.next_token = "t";
  exchange.attempt = 1;
  const auto fails = [&](const std::string& url) {
    Session session = session_of(url);
    const auto reply = PostgresLeases(session).exchange(exchange);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().message.find("s3cret") == std::string::npos);
    return reply.error().message;
  };
  const std::string wrong = fmt::format("postgres://reeve:s3cret@127.0.0.1:{}/reeve", port);
  CHECK(fails(wrong).find("password authentication failed") != std::string::npos);
  CHECK(fails("postgres://reeve:s3cret@127.0.0.1:1/reeve").find("refused") != std::string::npos);
  const auto bad = check_url("postgres://reeve:s3cret@[::1/reeve");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().message.find("s3cret") == std::string::npos);

  // One that stops answering is given up in time.
  Session session = session_of(good);
  PostgresLeases store(session);
  REQUIRE(store.exchange(exchange));
  servers.run("freeze", "a");
  exchange.attempt = 2;
  exchange.tokens = {"t"};
  const auto reply = store.exchange(exchange);
  servers.run("thaw", "a");
  REQUIRE_FALSE(reply);
  CHECK(reply.error().message.find("it does not answer") != std::string::npos);
}

TEST_CASE("the database's thread runs jobs, hears notifications and reconnects",
          "[fleet][postgres]") {
  Servers servers;
  const int port = servers.start("a");
  auto database = Database::open(servers.url("a", port), "pod-7");
  REQUIRE(database);
  std::promise<std::string> heard;
  std::atomic<int> connections{0};
  (*database)->listen("reeve_stops", [&](Session&, std::optional<std::string_view> payload) {
    if (!payload) {
      ++connections;
    } else {
      heard.set_value(std::string(*payload));
    }
  });
  (*database)->start();
  const auto ask = [&](const char* sql) {
    std::promise<std::string> answer;
    (*database)->post([&](Session& session) {
      const auto rows = session.query(sql);
      answer.set_value(rows ? rows->at(0).at(0).value_or("null") : rows.error().message);
    });
    return answer.get_future().get();
  };
  CHECK(ask("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()") ==
        "reeve pod-7");
  CHECK(ask("SELECT pg_notify('reeve_stops', 'jordan')") == "");
  CHECK(heard.get_future().get() == "jordan");
  CHECK(connections == 1);
  servers.run("stop", "a", "immediate");
  while (ask("SELECT 1") == "1") std::this_thread::sleep_for(10ms);
  servers.run("start", "a");
  while (ask("SELECT 1") != "1") std::this_thread::sleep_for(50ms);
  CHECK(connections == 2);
}

TEST_CASE("who a sidecar is, is kept with its ledger", "[fleet]") {
  std::string name = (std::filesystem::temp_directory_path() / "reeve-member-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const std::string path = name + "/ledger.db";
  REQUIRE_FALSE(MemberStore::open(path));
  REQUIRE(store::SqliteStore::open(path));
  const policy::MemberState state{"me", {"t1", "t2"}, 3, "history"};
  {
    auto store = MemberStore::open(path);
    REQUIRE(store);
    CHECK((*store)->load()->member.empty());
    REQUIRE((*store)->save({"other", {}, 1, ""}));
    REQUIRE((*store)->save(state));
  }
  auto store = MemberStore::open(path);
  REQUIRE(store);
  CHECK(*(*store)->load() == state);
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace reeve::fleet
