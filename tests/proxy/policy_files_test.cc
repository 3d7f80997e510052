// Reading policies from disk: order, what is left out, and what is refused without blocking.
#include "proxy/policy_files.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace reeve {
namespace {

namespace fs = std::filesystem;

TEST_CASE("policy files") {
  std::string name = (fs::temp_directory_path() / "reeve-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const fs::path folder = name;
  const auto write = [&](const char* file, const char* text) {
    std::ofstream(folder / file) << text;
  };
  const auto error = [&](const fs::path& path) {
    Diagnostics diagnostics;
    CHECK_FALSE(read_policy_files(path, diagnostics));
    REQUIRE(diagnostics.all().size() == 1);
    return diagnostics.all()[0].message;
  };
  CHECK(error(folder).starts_with("a folder without a policy"));
  CHECK(error(folder / "none").starts_with("there is no such file"));
  write("b.yaml", "b");
  write("a.yaml", "a");
  write(".hidden.yaml", "x");
  write("notes.txt", "x");
  fs::create_directory(folder / "sub.yaml");
  fs::create_symlink("a.yaml", folder / "c.yaml");
  Diagnostics diagnostics;
  const auto files = read_policy_files(folder.string() + "/", diagnostics);
  REQUIRE(files);
  REQUIRE(files->size() == 3);
  CHECK((*files)[0].name == folder.string() + "/a.yaml");
  CHECK((*files)[1].text == "b");
  CHECK((*files)[2].text == "a");
  const std::string before = policy_files_signature(folder);
  CHECK(before == policy_files_signature(folder));
  write("d.yaml", "d");
  CHECK(before != policy_files_signature(folder));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(error(folder / "pipe").starts_with("no regular file"));
  CHECK(error("/dev/null").starts_with("no regular file"));
  fs::create_symlink("loop", folder / "loop");
  CHECK(error(folder / "loop").starts_with("a loop of links"));
  std::ofstream(folder / "large") << std::string(16 * 1024 * 1024 + 1, '#');
  CHECK(error(folder / "large").starts_with("larger than 16 MB"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace reeve
