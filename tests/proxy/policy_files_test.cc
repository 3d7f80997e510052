// Reading policies from disk: order, what is left out, what is refused without blocking, and that
// no beginning of a policy that ends in `...` takes its place.
#include "proxy/policy_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

namespace reeve {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const char* name) const { return fs::path(path_) / name; }
  const std::string& path() const { return path_; }
  // Anew: to write a file again in place makes some file systems wait for the disk.
  void write(const char* file, std::string_view text) const {
    fs::remove(*this / file);
    std::ofstream(*this / file, std::ios::binary) << text;
  }

 private:
  std::string path_ = (fs::temp_directory_path() / "reeve-XXXXXX").string();
};

TEST_CASE("policy files") {
  const Folder folder;
  const auto error = [&](const fs::path& path) {
    Diagnostics diagnostics;
    CHECK_FALSE(read_policy_files(path, diagnostics));
    REQUIRE(diagnostics.all().size() == 1);
    return diagnostics.all()[0].message;
  };
  CHECK(error(folder.path()).starts_with("a folder without a policy"));
  CHECK(error(folder / "none").starts_with("there is no such file"));
  folder.write("b.yaml", "b");
  folder.write("a.yaml", "a");
  folder.write(".hidden.yaml", "x");
  folder.write("notes.txt", "x");
  fs::create_directory(folder / "sub.yaml");
  fs::create_symlink("a.yaml", folder / "c.yaml");
  Diagnostics diagnostics;
  const auto files = read_policy_files(folder.path() + "/", diagnostics);
  REQUIRE(files);
  REQUIRE(files->size() == 3);
  CHECK((*files)[0].name == folder.path() + "/a.yaml");
  CHECK((*files)[1].text == "b");
  CHECK((*files)[2].text == "a");
  const std::string before = policy_files_signature(folder.path());
  CHECK(before == policy_files_signature(folder.path()));
  folder.write("d.yaml", "d");
  CHECK(before != policy_files_signature(folder.path()));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(error(folder / "pipe").starts_with("no regular file"));
  CHECK(error("/dev/null").starts_with("no regular file"));
  fs::create_symlink("loop", folder / "loop");
  CHECK(error(folder / "loop").starts_with("a loop of links"));
  std::ofstream(folder / "large") << std::string(16 * 1024 * 1024 + 1, '#');
  CHECK(error(folder / "large").starts_with("larger than 16 MB"));
}

bool is_long() {
  const char* given = std::getenv("REEVE_TEST_LONG");
  return given && std::string_view(given) == "1";
}

std::string read(const fs::path& path) {
  const auto file = [&] {
    Diagnostics diagnostics;
    return read_source_file(path, diagnostics);
  }();
  REQUIRE(file);
  return file->text;
}

// Offers each beginning of `name` in place of the whole; all but the one that lacks the last line
// end alone must be refused, with an error.
void offer_prefixes(const Folder& folder, const std::string& path, const char* name) {
  Diagnostics diagnostics;
  const auto in_force = load_policy_files(path, {}, nullptr, diagnostics);
  REQUIRE(in_force);
  const std::string whole = read(folder / name);
  REQUIRE(whole.ends_with("\n...\n"));
  for (size_t size = 0; size < whole.size() - 1; ++size) {
    folder.write(name, std::string_view(whole).substr(0, size));
    Diagnostics found;
    const bool refused = !load_policy_files(path, {}, in_force.get(), found);
    if (refused && found.has_errors()) continue;
    for (const Diagnostic& diagnostic : found.all()) UNSCOPED_INFO(to_string(diagnostic));
    CAPTURE(size, refused);
    FAIL("a policy cut short");
  }
  folder.write(name, std::string_view(whole).substr(0, whole.size() - 1));
  CHECK(load_policy_files(path, {}, in_force.get(), diagnostics));
  folder.write(name, whole);
  CHECK(load_policy_files(path, {}, in_force.get(), diagnostics));
}

TEST_CASE("no beginning of a policy that ends in `...` takes its place") {
  const fs::path examples = std::string(REEVE_SOURCE_DIR) + "/examples";
  size_t policies = 0;
  for (const auto& example : fs::directory_iterator(examples)) {
    if (!fs::exists(example.path() / "policy.yaml")) continue;
    if (!is_long() && example.path().filename() != "three-roles") continue;
    CAPTURE(example.path().string());
    const Folder folder;
    folder.write("policy.yaml", read(example.path() / "policy.yaml") + "...\n");
    offer_prefixes(folder, (folder / "policy.yaml").string(), "policy.yaml");
    ++policies;
  }
  CHECK(policies >= (is_long() ? 6 : 1));
}

TEST_CASE("each file of a folder keeps its own `...`") {
  const Folder folder;
  folder.write("agents.yaml", "agents:\n  ann: {owner: o, purpose: p, team: t, roles: [r]}\n...\n");
  folder.write("roles.yaml",
               "roles:\n  r:\n    allow: {upstream: crm}\n    deny: {upstream: hr}\n...\n");
  folder.write("unmarked.yaml", "prices:\n  - {upstream: crm, cost: 1 USD}\n");
  offer_prefixes(folder, folder.path(), "agents.yaml");
  offer_prefixes(folder, folder.path(), "roles.yaml");
  // What never ended so need not, and a file may go.
  Diagnostics diagnostics;
  const auto in_force = load_policy_files(folder.path(), {}, nullptr, diagnostics);
  folder.write("unmarked.yaml", "prices: []\n");
  CHECK(load_policy_files(folder.path(), {}, in_force.get(), diagnostics));
  folder.write("more.yaml", "upstreams: [crm, hr]\n...\n");
  CHECK(load_policy_files(folder.path(), {}, in_force.get(), diagnostics));
  fs::remove(folder / "more.yaml");
  CHECK(load_policy_files(folder.path(), {}, in_force.get(), diagnostics));
}

TEST_CASE("what is read of a folder stood there at one moment") {
  // As a ConfigMap: names that link into a folder that is replaced in one step, by a new one.
  const Folder folder;
  const auto put = [&](int version) {
    const std::string name = ".." + std::to_string(version);
    fs::create_directory(folder / name.c_str());
    for (const char* file : {"a.yaml", "b.yaml"}) {
      std::ofstream(folder / name.c_str() / file) << version;
    }
    fs::create_directory_symlink(name, folder / "..new");
    fs::rename(folder / "..new", folder / "..data");
    fs::remove_all(folder / (".." + std::to_string(version - 1)).c_str());
  };
  put(1);
  for (const char* file : {"a.yaml", "b.yaml"}) {
    fs::create_symlink(fs::path("..data") / file, folder / file);
  }
  std::atomic<bool> swapping = true;
  std::thread swapper([&] {
    for (int version = 2; swapping; ++version) put(version);
  });
  size_t seen = 0;
  size_t mixed = 0;
  while (seen < (is_long() ? 20'000 : 2'000)) {
    Diagnostics diagnostics;
    const auto files = read_policy_files(folder.path(), diagnostics);
    if (!files) continue;  // it changed ten times while it was read
    ++seen;
    mixed += (*files)[0].text != (*files)[1].text;
  }
  swapping = false;
  swapper.join();
  CHECK(mixed == 0);
}

}  // namespace
}  // namespace reeve
