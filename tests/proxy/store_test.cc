// The store on real SQLite files: what is kept, what is refused with which words, faults injected
// below SQLite at every operation, and the lock of the state folder.
#include <fcntl.h>
#include <fmt/core.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "proxy/store/sqlite_store.h"
#include "proxy/store/state_folder.h"
#include "tests/support/faulty_vfs.h"

namespace reeve::store {
namespace {

using policy::Account;
using policy::AccountKey;
using policy::Mark;
using policy::MarkWrite;
using policy::Period;
using policy::Time;
using policy::Unit;
using policy::Window;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "reeve-store-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

AccountKey key_of(std::string budget) {
  return {std::move(budget), "team:it", Unit::kMoney, "USD", Period::kMonth};
}

Window window_of(int64_t start, int64_t end) {
  return {Time{std::chrono::microseconds{start}}, Time{std::chrono::microseconds{end}}};
}

MarkWrite write_of(Account& account, int64_t mark) {
  return {.account = &account,
          .write = 1,
          .window = window_of(-5, 1'700'000'000'000'000),
          .mark = mark};
}

std::unique_ptr<SqliteStore> opened(const std::string& path) {
  auto store = SqliteStore::open(path);
  INFO((store ? "" : store.error().message));
  REQUIRE(store);
  return std::move(*store);
}

// The mark of the one account in the file; -1 when there is none.
int64_t only_mark(SqliteStore& store) {
  const auto marks = store.load();
  REQUIRE(marks);
  REQUIRE(marks->size() <= 1);
  return marks->empty() ? -1 : marks->front().mark;
}

void execute(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  CHECK(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("marks are kept as written, the latest per account", "[store]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("ledger.db");
  Account a(key_of("a"));
  Account b({"agent:jürgen", "everyone", Unit::kTokens, "", Period::kTotal});
  {
    const auto store = opened(path);
    CHECK(store->load()->empty());
    const MarkWrite writes[] = {write_of(a, 1), write_of(b, 2)};
    CHECK(store->persist(writes));
    MarkWrite later = write_of(b, INT64_MAX);
    later.window = {Time{}, Time::max()};
    later.approved = 7;
    CHECK(store->persist({&later, 1}));
    CHECK(store->persist({}));
  }
  auto marks = *opened(path)->load();
  REQUIRE(marks.size() == 2);
  std::sort(marks.begin(), marks.end(), [](const Mark& x, const Mark& y) { return x.key < y.key; });
  CHECK(marks[0].key == a.key());
  CHECK(marks[0].mark == 1);
  CHECK(marks[0].window == window_of(-5, 1'700'000'000'000'000));
  CHECK(marks[1].key == b.key());
  CHECK(marks[1].mark == INT64_MAX);
  CHECK(marks[0].approved == 0);
  CHECK(marks[1].approved == 7);
  CHECK(marks[1].window == Window{Time{}, Time::max()});
}

TEST_CASE("only the owner may read the ledger", "[store]") {
  const TemporaryFolder folder;
  const auto store = opened(folder.file("ledger.db"));
  Account a(key_of("a"));
  const MarkWrite write = write_of(a, 1);
  REQUIRE(store->persist({&write, 1}));
  for (const char* name : {"ledger.db", "ledger.db-wal", "ledger.db-shm"}) {
    struct stat status{};
    CAPTURE(name);
    REQUIRE(::stat(folder.file(name).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
  }
}

TEST_CASE("a file that is no ledger of ours is refused and left alone", "[store]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("ledger.db");
  struct Row {
    std::string content;  // of a file that SQLite does not know
    std::string sql;      // or what a database is made with
    std::string says;
  };
  const Row rows[] = {
      {std::string(5000, 'x'), "", "is damaged or not a ledger; restore it from a backup"},
      {std::string("SQLite format 3\0", 16) + std::string(5000, '\xff'), "", "is damaged"},
      {"", "CREATE TABLE t (x)", "is a database of another program; move it away"},
      {"", "PRAGMA user_version = 7", "is a database of another program"},
      {"", "PRAGMA application_id = 1919247734; PRAGMA user_version = 3",
       "was written by a newer reeve (format 3, this one knows 2)"},
      {"", "PRAGMA application_id = 1919247734", "is damaged"},
      {"", "PRAGMA application_id = 1919247734; PRAGMA user_version = 1", "cannot use the ledger"},
  };
  for (const Row& row : rows) {
    std::filesystem::remove(path);
    if (row.content.empty()) execute(path, row.sql);
    if (!row.content.empty()) std::ofstream(path, std::ios::binary) << row.content;
    const auto before = std::filesystem::file_size(path);
    const auto store = SqliteStore::open(path);
    REQUIRE(!store);
    INFO(store.error().message);
    CHECK(has(store.error().message, "`" + path + "`"));
    CHECK(has(store.error().message, row.says));
    CHECK(std::filesystem::file_size(path) == before);
  }
}

TEST_CASE("rows that cannot be are refused", "[store]") {
  const char* changes[] = {"mark = -1",     "approved = -1",
                           "approved = 2",  "window_end = window_start",
                           "unit = 'hugs'", "period = 'fortnight'"};
  for (const char* change : changes) {
    CAPTURE(change);
    const TemporaryFolder folder;
    const std::string path = folder.file("ledger.db");
    Account a(key_of("a"));
    const MarkWrite write = write_of(a, 1);
    REQUIRE(opened(path)->persist({&write, 1}));
    execute(path, fmt::format("UPDATE mark SET {}", change));
    const auto marks = opened(path)->load();
    REQUIRE(!marks);
    CHECK(has(marks.error().message, "is damaged"));
  }
}

// What version 1 made.
constexpr const char* kFirstFormat =
    "CREATE TABLE mark (budget TEXT NOT NULL, scope TEXT NOT NULL, unit TEXT NOT NULL, currency "
    "TEXT NOT NULL, period TEXT NOT NULL, window_start INTEGER NOT NULL, window_end INTEGER NOT "
    "NULL, mark INTEGER NOT NULL, PRIMARY KEY (budget, scope, unit, currency, period)) STRICT, "
    "WITHOUT ROWID; PRAGMA application_id = 1919247734; PRAGMA user_version = 1;"
    "INSERT INTO mark VALUES ('a', 'team:it', 'money', 'USD', 'month', 0, 9, 5)";

TEST_CASE("a ledger of the first format is read, and made one of this format", "[store]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("ledger.db");
  execute(path, kFirstFormat);
  const auto looked = SqliteStore::read(path);
  REQUIRE(looked);
  REQUIRE(looked->size() == 1);
  CHECK(looked->front().mark == 5);
  {
    const auto store = opened(path);
    const auto marks = *store->load();
    REQUIRE(marks.size() == 1);
    CHECK(marks[0].key == key_of("a"));
    CHECK(marks[0].mark == 5);
    CHECK(marks[0].approved == 0);
    Account a(key_of("a"));
    MarkWrite write = write_of(a, 6);
    write.approved = 1;
    CHECK(store->persist({&write, 1}));
  }
  CHECK(opened(path)->load()->front().approved == 1);
}

TEST_CASE("a look at a ledger writes nothing and waits for nobody", "[store]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("ledger.db");
  CHECK(SqliteStore::read(path)->empty());
  CHECK_FALSE(std::filesystem::exists(path));
  const auto store = opened(path);
  Account a(key_of("a"));
  const MarkWrite write = write_of(a, 3);
  REQUIRE(store->persist({&write, 1}));
  const auto before = std::filesystem::last_write_time(path);
  const auto marks = SqliteStore::read(path);
  REQUIRE(marks);
  REQUIRE(marks->size() == 1);
  CHECK(marks->front().mark == 3);
  CHECK(std::filesystem::last_write_time(path) == before);
  std::ofstream(folder.file("odd.db")) << std::string(5000, 'x');
  CHECK(!SqliteStore::read(folder.file("odd.db")));
}

TEST_CASE("a folder that is missing is named with the remedy", "[store]") {
  const TemporaryFolder folder;
  const auto store = SqliteStore::open(folder.file("nowhere/ledger.db"));
  REQUIRE(!store);
  CHECK(
      has(store.error().message, "nowhere/ledger.db`: No such file or directory; its folder must"));
}

TEST_CASE("a ledger locked by another program refuses, then goes on", "[store]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("ledger.db");
  const auto store = opened(path);
  Account a(key_of("a"));
  const MarkWrite first = write_of(a, 1);
  REQUIRE(store->persist({&first, 1}));

  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  const MarkWrite second = write_of(a, 2);
  const auto refused = store->persist({&second, 1});
  REQUIRE(!refused);
  CHECK(has(refused.error().message, "database is locked; close the other program"));
  CHECK(only_mark(*store) == 1);

  sqlite3_close(other);
  CHECK(store->persist({&second, 1}));
  CHECK(only_mark(*store) == 2);
}

// ---------------------------------------------------------------------------------------------

TEST_CASE("a disk that fails at any operation loses nothing that was acknowledged", "[store]") {
  struct Row {
    int code;
    const char* says;
  };
  for (const Row& row :
       {Row{SQLITE_FULL, "free space on its disk"}, Row{SQLITE_IOERR_WRITE, "look at"}}) {
    int failures = 0;
    for (int64_t n = 0; n < 40; ++n) {
      CAPTURE(row.code, n);
      const TemporaryFolder folder;
      const std::string path = folder.file("ledger.db");
      Account a(key_of("a"));
      faults = {};
      auto store = SqliteStore::open(path, faulty_vfs());
      REQUIRE(store);
      int64_t acknowledged = -1;
      int64_t tried = -1;
      const auto persist = [&](int64_t mark) {
        const MarkWrite write = write_of(a, mark);
        tried = mark;
        const auto done = (*store)->persist({&write, 1});
        if (done) acknowledged = mark;
        return done;
      };
      REQUIRE(persist(0));

      faults = {.left = n, .code = row.code};
      for (int64_t mark = 1; mark <= 5; ++mark) {
        const auto done = persist(mark);
        if (done) continue;
        ++failures;
        const std::string& message = done.error().message;
        INFO(message);
        CHECK((has(message, row.says) || has(message, "look at the disk")));
        CHECK(has(message, path));
        break;
      }
      // The disk is well again: what the file says is what was acknowledged, or the one after.
      faults = {};
      CHECK((only_mark(**store) == acknowledged || only_mark(**store) == tried));
      const auto again = opened(path);
      CHECK((only_mark(*again) == acknowledged || only_mark(*again) == tried));
      CHECK(persist(9));
      CHECK(only_mark(*again) == 9);
    }
    CHECK(failures > 5);
  }
}

TEST_CASE("a log that filled the disk is folded away rather than refused", "[store]") {
  const TemporaryFolder folder;
  const std::string path = folder.file("ledger.db");
  faults = {};
  auto store = SqliteStore::open(path, faulty_vfs());
  REQUIRE(store);
  Account a(key_of("a"));
  faults.log_bytes = 64 * 1024;
  for (int64_t mark = 1; mark <= 100; ++mark) {
    const MarkWrite write = write_of(a, mark);
    const auto done = (*store)->persist({&write, 1});
    CAPTURE(mark);
    REQUIRE(done);
  }
  CHECK(faults.refused > 0);
  faults = {};
  CHECK(only_mark(**store) == 100);
}

TEST_CASE("a disk that is full at the start is said", "[store]") {
  const TemporaryFolder folder;
  faults = {.left = 0, .code = SQLITE_FULL};
  const auto store = SqliteStore::open(folder.file("ledger.db"), faulty_vfs());
  faults = {};
  REQUIRE(!store);
  CHECK(has(store.error().message, "full; free space on its disk"));
}

// ---------------------------------------------------------------------------------------------

TEST_CASE("the state folder is made for its owner only, and held", "[store][state]") {
  const TemporaryFolder parent;
  const std::string path = parent.file("state");
  {
    const auto folder = StateFolder::open(path);
    REQUIRE(folder);
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
    CHECK(folder->file("ledger.db") == path + "/ledger.db");

    const auto second = StateFolder::open(path);
    REQUIRE(!second);
    CHECK(
        second.error().message ==
        fmt::format("state folder `{}` is in use by another reeve (pid {}); stop it, or give this "
                    "one a folder of its own (`state:`)",
                    path, ::getpid()));
  }
  CHECK(StateFolder::open(path));
}

TEST_CASE("the lock moves with its object and ends with a killed process", "[store][state]") {
  const TemporaryFolder parent;
  const std::string path = parent.file("state");
  {
    auto first = StateFolder::open(path);
    REQUIRE(first);
    const StateFolder moved = std::move(*first);
    CHECK(!StateFolder::open(path));
  }
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = StateFolder::open(path);
    const char ok = held ? '1' : '0';
    (void)!::write(ready[1], &ok, 1);
    ::pause();
    ::_exit(0);
  }
  char ok = 0;
  REQUIRE(::read(ready[0], &ok, 1) == 1);
  CHECK(ok == '1');
  const auto refused = StateFolder::open(path);
  REQUIRE(!refused);
  CHECK(has(refused.error().message, fmt::format("(pid {})", child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(StateFolder::open(path));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("a state folder that cannot be is named with the remedy", "[store][state]") {
  const TemporaryFolder parent;
  const auto orphan = StateFolder::open(parent.file("no/state"));
  REQUIRE(!orphan);
  CHECK(has(orphan.error().message, "no/state`: No such file or directory; create it"));

  std::ofstream(parent.file("plain")) << "x";
  const auto plain = StateFolder::open(parent.file("plain"));
  REQUIRE(!plain);
  CHECK(has(plain.error().message, "plain` is not a folder"));

  // A lock that is a link could make reeve write elsewhere.
  std::filesystem::create_directory(parent.file("state"));
  std::filesystem::create_symlink(parent.file("elsewhere"), parent.file("state/lock"));
  const auto link = StateFolder::open(parent.file("state"));
  REQUIRE(!link);
  CHECK(has(link.error().message, "state/lock`"));
  CHECK(!std::filesystem::exists(parent.file("elsewhere")));
}

}  // namespace
}  // namespace reeve::store
