// Files that say on top what is found in them, in order, without their own name:
//     # expect: 3:44: error: unknown risk `extreme`; …
//     # wired: crm, kb
// `# wired:`, after the expectations, names the upstreams of reeve.yaml; without it none are known.
#ifndef REEVE_TESTS_SUPPORT_EXPECTED_FILES_H_
#define REEVE_TESTS_SUPPORT_EXPECTED_FILES_H_

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "policy/policy_set.h"

namespace reeve::testing {

struct ExpectedFile {
  policy::SourceFile source;
  std::vector<std::string> expected;
  policy::Wiring wiring;
};

inline ExpectedFile read_expected(const std::filesystem::path& path) {
  constexpr std::string_view kExpect = "# expect: ";
  constexpr std::string_view kWired = "# wired: ";
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  ExpectedFile file{{path.filename(), text.str()}, {}, {}};
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with(kExpect)) {
      file.expected.push_back(line.substr(kExpect.size()));
    } else if (line.starts_with(kWired)) {
      std::istringstream names(line.substr(kWired.size()));
      file.wiring.upstreams.emplace();
      for (std::string name; std::getline(names >> std::ws, name, ',');) {
        file.wiring.upstreams->push_back(name);
      }
    } else {
      break;
    }
  }
  return file;
}

// Each file of the folder below tests/data/policies, whose findings of `severity` must be those
// that it expects. `load(file, diagnostics)` says whether it could be read. Gives their number.
template <class Load>
size_t expect_all(const std::string& folder, Severity severity, Load&& load) {
  const std::string path = std::string(REEVE_SOURCE_DIR) + "/tests/data/policies/" + folder;
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    const ExpectedFile file = read_expected(entry.path());
    const std::string& name = file.source.name;
    CAPTURE(name);
    CHECK_FALSE(file.expected.empty());
    Diagnostics diagnostics;
    const bool is_good = load(file, diagnostics);
    CHECK(is_good == (severity != Severity::kError));
    std::vector<std::string> found;
    for (const Diagnostic& diagnostic : diagnostics.all()) {
      if (diagnostic.severity != severity) continue;
      const std::string text = to_string(diagnostic).substr(name.size() + 1);
      found.push_back(text.substr(text.find_first_not_of(' ')));
    }
    CHECK(found == file.expected);
    ++files;
  }
  return files;
}

}  // namespace reeve::testing

#endif  // REEVE_TESTS_SUPPORT_EXPECTED_FILES_H_
