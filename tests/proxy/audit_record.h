// A sealed record made for tests: some files, a checkpoint now and then, several epochs. What an
// attacker does to it is done to `files` and `checkpoints`, and written elsewhere.
#ifndef REEVE_TESTS_PROXY_AUDIT_RECORD_H_
#define REEVE_TESTS_PROXY_AUDIT_RECORD_H_

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "proxy/audit/files.h"
#include "proxy/audit/line.h"
#include "proxy/audit/sealing.h"
#include "proxy/audit/verifier.h"
#include "proxy/journal.h"

namespace reeve::audit {

struct TempFolder {
  TempFolder() {
    // In memory where that is possible: thousands of records are written.
    const std::filesystem::path memory("/dev/shm");
    const bool in_memory = ::access(memory.c_str(), W_OK) == 0;
    std::string name =
        ((in_memory ? memory : std::filesystem::temp_directory_path()) / "reeve-audit-XXXXXX")
            .string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~TempFolder() { std::filesystem::remove_all(path); }
  std::string file(const std::string& name) const { return (path / name).string(); }
  std::filesystem::path path;
};

inline bool long_run() {
  const char* value = std::getenv("REEVE_TEST_LONG");
  return value != nullptr && std::string_view(value) == "1";
}

inline std::vector<std::string> lines_of(const std::string& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

inline policy::Time at_second(int64_t second) {
  return policy::Time(std::chrono::seconds(1'790'000'000 + second));
}

// The line with other members, or at another place of a chain, and a hash that fits.
inline std::string rebuilt(const std::string& text, uint64_t seq, std::string_view prev,
                           std::string_view members) {
  const auto line = read_line(text);
  REQUIRE(line);
  std::string out = "{\"v\":1,\"seq\":" + std::to_string(seq) + ",\"time\":\"" +
                    std::string(line->time) + "\",\"kind\":\"" + std::string(line->kind) + "\"" +
                    std::string(members) + ",\"prev\":\"" + std::string(prev) + "\"";
  Hasher hasher;
  const std::string hash(hasher.hex(out, "}"));
  return out + ",\"hash\":\"" + hash + "\"}";
}

struct Record {
  std::vector<std::vector<std::string>> files;  // the lines of each, oldest first
  std::vector<std::string> names;
  std::vector<std::string> checkpoints;
  std::string first_key;

  size_t size() const {
    size_t count = 0;
    for (const auto& file : files) count += file.size();
    return count;
  }
  // The line of this index over all files; `file` and `line` are where it is.
  std::string& at(size_t index, size_t* file = nullptr, size_t* line = nullptr) {
    for (size_t f = 0; f < files.size(); ++f) {
      if (index < files[f].size()) {
        if (file != nullptr) *file = f;
        if (line != nullptr) *line = index;
        return files[f][index];
      }
      index -= files[f].size();
    }
    throw std::out_of_range("no such line");
  }
  void insert(size_t index, const std::string& text) {
    size_t file = 0, line = 0;
    at(index, &file, &line);
    files[file].insert(files[file].begin() + static_cast<long>(line), text);
  }
  void erase(size_t index) {
    size_t file = 0, line = 0;
    at(index, &file, &line);
    files[file].erase(files[file].begin() + static_cast<long>(line));
  }
  // Makes the chain anew from this line on.
  void rechain(size_t from) {
    std::string prev =
        from == 0 ? std::string(kNoPrevious) : std::string(read_line(at(from - 1))->hash);
    for (size_t i = from; i < size(); ++i) {
      const std::string old = at(i);
      at(i) = rebuilt(old, i + 1, prev, read_line(old)->members);
      prev = read_line(at(i))->hash;
    }
  }
  void cut(size_t length) {  // keeps so many lines
    while (size() > length) {
      files.back().pop_back();
      if (files.back().empty() && files.size() > 1) {
        files.pop_back();
        names.pop_back();
      }
    }
  }
};

// `lines` lines in files of `per_file`, sealed every `per_seal` lines and at the end; an epoch
// takes three checkpoints. `salt` makes one record differ from another.
inline Record make_record(const TempFolder& folder, size_t lines, size_t per_file, size_t per_seal,
                          const std::string& salt = "a") {
  Record record;
  const std::string path = folder.file("audit.jsonl");
  {
    auto sealing = Sealing::open({.key_file = folder.file("audit.key"),
                                  .checkpoints_file = checkpoints_path(path),
                                  .epoch = std::chrono::seconds(3)},
                                 at_second(0));
    REQUIRE(sealing.ok());
    record.first_key = (*sealing)->public_key();
    const std::string members = ",\"agent\":\"jordan\",\"target\":\"" + salt + "\"";
    auto journal = Journal::open({.path = path, .rotate = per_file * 320});
    REQUIRE(journal.ok());
    for (size_t i = 0; i < lines; ++i) {
      const std::string own = ",\"call\":\"" + std::to_string(1000 + i) + "\"" + members;
      REQUIRE((*journal)->append(i % 2 == 0 ? "decision" : "outcome", own,
                                 at_second(static_cast<int64_t>(i))));
      if (i % per_seal != per_seal - 1 && i + 1 != lines) continue;
      const auto head = (*journal)->sync_head();
      REQUIRE(head.ok());
      REQUIRE((*sealing)->seal(*head, at_second(static_cast<int64_t>(i / per_seal + 1))).ok());
    }
  }
  for (const std::string& file : record_files(path)) {
    record.names.push_back(std::filesystem::path(file).filename().string());
    record.files.push_back(lines_of(file));
  }
  record.checkpoints = lines_of(checkpoints_path(path));
  REQUIRE(record.size() == lines);
  return record;
}

inline void write_lines(const std::string& file, const std::vector<std::string>& lines) {
  std::ofstream out(file);
  for (const std::string& line : lines) out << line << '\n';
}

// Writes it to the folder and verifies it.
inline VerifyReport verify(const TempFolder& folder, const Record& record,
                           const std::vector<std::string>& anchors = {}, bool with_key = true) {
  VerifyOptions options;
  for (size_t i = 0; i < record.files.size(); ++i) {
    options.files.push_back(folder.file(record.names[i]));
    write_lines(options.files.back(), record.files[i]);
  }
  options.checkpoints = folder.file("checkpoints");
  write_lines(options.checkpoints, record.checkpoints);
  for (const std::string& text : anchors) {
    auto checkpoint = read_checkpoint_in(text);
    REQUIRE(checkpoint);
    options.anchors.push_back({*checkpoint, "anchor:1"});
  }
  if (with_key) options.keys = {record.first_key};
  return Verifier(options).run();
}

}  // namespace reeve::audit

#endif  // REEVE_TESTS_PROXY_AUDIT_RECORD_H_
