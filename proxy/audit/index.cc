// Tested by tests/proxy/audit_query_test.cc.
#include "proxy/audit/index.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "proxy/audit/files.h"
#include "proxy/audit/line.h"

namespace reeve::audit {
namespace {

constexpr uint64_t kBlock = 1024 * 1024;
constexpr uint64_t kMostBlocks = 64 * 1024 * 1024 / sizeof(Index::Block);

struct Head {
  char magic[16];
  uint64_t covered, blocks, check;
  std::array<char, 64> last_hash;
};
constexpr char kMagic[16] = "reeve-index 1\n";

uint64_t hash_of(std::string_view text) {  // FNV-1a
  uint64_t hash = 14'695'981'039'346'656'037u;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 1'099'511'628'211u;
  return hash ^ (hash >> 29);
}

uint64_t check_of(const std::vector<Index::Block>& blocks) {
  return hash_of({reinterpret_cast<const char*>(blocks.data()), blocks.size() * sizeof blocks[0]});
}

void add_line(Index::Block& block, const Line& line) {
  std::array<char, 32> time{};
  std::copy(line.time.begin(), line.time.end(), time.begin());
  if (block.first[0] == 0 || time < block.first) block.first = time;
  block.last = std::max(block.last, time);
  const std::string_view agent = raw_member(line.members, ",\"agent\":\"");
  if (agent.empty()) return;
  uint64_t hash = hash_of(agent);
  for (int i = 0; i < 3; ++i, hash >>= 16)
    block.agents[(hash >> 6) % 32] |= uint64_t{1} << (hash % 64);
}

}  // namespace

bool may_hold(const Index::Block& block, std::string_view agent) {
  uint64_t hash = hash_of(agent);
  for (int i = 0; i < 3; ++i, hash >>= 16) {
    if ((block.agents[(hash >> 6) % 32] & uint64_t{1} << (hash % 64)) == 0) return false;
  }
  return true;
}

std::string_view raw_member(std::string_view members, std::string_view name) {
  const size_t at = members.find(name);
  if (at == std::string_view::npos) return {};
  members.remove_prefix(at + name.size());
  for (size_t end = 0; end < members.size(); ++end) {
    if (members[end] == '\\') {
      ++end;
    } else if (members[end] == '"') {
      return members.substr(0, end);
    }
  }
  return {};
}

Index::Index(const std::string& path) {
  was_read_ = read(path);
  if (!was_read_) {
    blocks_.clear();
    covered_ = 0;
  }
  const uint64_t before = covered_;
  extend(path);
  if (covered_ != before) write(path);
}

// False when there is none, or it is not of this file.
bool Index::read(const std::string& path) {
  const std::string name = path + ".index";
  struct stat info{}, of{};
  if (::stat(name.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  if (::stat(path.c_str(), &of) != 0) return false;
  std::ifstream in(name, std::ios::binary);
  Head head{};
  if (!in.read(reinterpret_cast<char*>(&head), sizeof head)) return false;
  if (std::memcmp(head.magic, kMagic, sizeof kMagic) != 0 || head.blocks > kMostBlocks)
    return false;
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size != sizeof head + head.blocks * sizeof(Block)) return false;
  blocks_.resize(head.blocks);
  in.read(reinterpret_cast<char*>(blocks_.data()),
          static_cast<std::streamsize>(head.blocks * sizeof(Block)));
  if (!in || check_of(blocks_) != head.check || head.covered > static_cast<uint64_t>(of.st_size)) {
    return false;
  }
  covered_ = head.covered;
  last_hash_ = head.last_hash;
  // The line that ended there still does.
  const uint64_t tail = 64 + 3;
  std::array<char, 64> there{};
  std::ifstream file(path, std::ios::binary);
  if (covered_ < tail || !file.seekg(static_cast<std::streamoff>(covered_ - tail)) ||
      !file.read(there.data(), there.size())) {
    return false;
  }
  return there == last_hash_;
}

// Adds blocks for as long as there is a megabyte of whole lines.
void Index::extend(const std::string& path) {
  LineReader reader;
  if (blocks_.size() >= kMostBlocks || !reader.open(path, covered_)) return;
  Block block;
  block.begin = covered_;
  for (std::string_view text; reader.next(text, false);) {
    const auto line = read_line(text);
    if (!line) continue;
    add_line(block, *line);
    block.end = reader.offset() + text.size() + 1;
    if (block.end - block.begin < kBlock) continue;
    std::copy(line->hash.begin(), line->hash.end(), last_hash_.begin());
    blocks_.push_back(block);
    covered_ = block.end;
    if (blocks_.size() >= kMostBlocks) return;
    block = Block();
    block.begin = covered_;
  }
}

void Index::write(const std::string& path) const {
  const std::string fresh = fmt::format("{}.index.{}", path, ::getpid());
  Head head{};
  std::memcpy(head.magic, kMagic, sizeof kMagic);
  head.covered = covered_;
  head.blocks = blocks_.size();
  head.check = check_of(blocks_);
  head.last_hash = last_hash_;
  std::ofstream out(fresh, std::ios::binary);
  if (!out) return;
  out.write(reinterpret_cast<const char*>(&head), sizeof head);
  out.write(reinterpret_cast<const char*>(blocks_.data()),
            static_cast<std::streamsize>(blocks_.size() * sizeof(Block)));
  out.close();
  if (!out || std::rename(fresh.c_str(), (path + ".index").c_str()) != 0) {
    std::remove(fresh.c_str());
  }
}

}  // namespace reeve::audit
