// What a line of the record costs, by `audit.sync`, without a proxy around it; and a way to make a
// large record to ask.
//
//   record_bench [LINES]                  lines/s of each mode, in /tmp
//   record_bench fill PATH LINES AGENTS   a record of so many lines, a second between calls
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/clock.h"
#include "proxy/journal.h"

namespace reeve {
namespace {

std::string members_of(uint64_t call, std::string_view agent) {
  return fmt::format(
      ",\"call\":\"01a20105-af58-797d-{:04x}-{:012x}\",\"agent\":\"{}\",\"owner\":\"dana@acme."
      "example\","
      "\"team\":\"support\",\"roles\":\"customer-service\",\"listener\":\"local\",\"upstream\":"
      "\"crm\","
      "\"protocol\":\"http\",\"action\":\"GET\",\"target\":\"/customers/"
      "{}\",\"decision\":\"allow\","
      "\"reason\":\"rule\",\"rule\":\"work-in-crm\",\"at\":\"policy.yaml:41\",\"policy\":\"{:064}"
      "\"",
      call & 0xffff, call, agent, call % 1000, 0);
}

int fill(const std::string& path, uint64_t lines, uint64_t agents) {
  auto journal = Journal::open({.path = path, .rotate = uint64_t{100} * 1024 * 1024});
  if (!journal) {
    fmt::print(stderr, "{}\n", journal.error().message);
    return 1;
  }
  const policy::Time begin(std::chrono::seconds(1'790'000'000));
  std::vector<std::string> texts(64);
  std::vector<JournalLine> block(64);
  for (uint64_t i = 0; i < lines; i += block.size()) {
    for (size_t k = 0; k < block.size(); ++k) {
      const uint64_t call = (i + k) / 2;
      texts[k] = members_of(call, fmt::format("agent-{:03}", call * 7919 % agents));
      block[k] = {k % 2 == 0 ? "decision" : "outcome", texts[k],
                  begin + std::chrono::seconds(call)};
    }
    if (!(*journal)->append(block)) return 1;
  }
  return 0;
}

double rate(AuditSync sync, uint64_t lines) {
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("reeve-record-bench-{}", ::getpid());
  std::filesystem::create_directory(folder);
  auto journal = Journal::open({.path = (folder / "audit.jsonl").string(),
                                .sync = sync,
                                .rotate = uint64_t{100} * 1024 * 1024});
  if (!journal) return 0;
  const std::string members = members_of(1, "jordan");
  const auto begin = std::chrono::steady_clock::now();
  for (uint64_t i = 0; i < lines; ++i) {
    // A full queue is waited for: what is measured is what the writer sustains.
    while (!(*journal)->append("decision", members, wall_now())) std::this_thread::yield();
  }
  (*journal)->finish();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::filesystem::remove_all(folder);
  return static_cast<double>(lines) / took.count();
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
  using reeve::AuditSync;
  if (argc == 5 && std::string_view(argv[1]) == "fill") {
    return reeve::fill(argv[2], std::strtoull(argv[3], nullptr, 10),
                       std::strtoull(argv[4], nullptr, 10));
  }
  const uint64_t lines = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 500'000;
  fmt::print("{:<8} {:>12}\n", "sync", "lines/s");
  fmt::print("{:<8} {:>12.0f}\n", "call", reeve::rate(AuditSync::kCall, lines));
  fmt::print("{:<8} {:>12.0f}\n", "batch", reeve::rate(AuditSync::kBatch, lines));
  fmt::print("{:<8} {:>12.0f}  (without waiting for the disk)\n", "disk",
             reeve::rate(AuditSync::kDisk, lines));
  return 0;
}
