// Where in a file of the record to look: for each megabyte of lines the first and last time, and
// which agents may be in it.
//
// It stands beside the file, as `FILE.index`, is made by the first query, carried on by later ones,
// and made anew when the file is not the one that it is of. It only says what can be skipped for a
// question; verifying never looks at it.
#ifndef REEVE_PROXY_AUDIT_INDEX_H_
#define REEVE_PROXY_AUDIT_INDEX_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace reeve::audit {

class Index {
 public:
  struct Block {
    uint64_t begin = 0, end = 0;           // offsets; whole lines
    std::array<char, 32> first{}, last{};  // times, as lines have them; zeros when there is none
    std::array<uint64_t, 32> agents{};     // a Bloom filter of their names
  };

  // Reads or makes the index of `path` and writes it, where that is possible. Lines behind
  // covered() are in no block.
  explicit Index(const std::string& path);

  const std::vector<Block>& blocks() const { return blocks_; }
  uint64_t covered() const { return covered_; }
  bool was_read() const { return was_read_; }

 private:
  bool read(const std::string& path);
  void extend(const std::string& path);
  void write(const std::string& path) const;

  std::vector<Block> blocks_;
  uint64_t covered_ = 0;
  std::array<char, 64> last_hash_{};  // of the last line that is covered
  bool was_read_ = false;
};

// Whether the block may hold a line of this agent (its name as JSON has it, without quotes).
bool may_hold(const Index::Block& block, std::string_view agent);

// The value of a text member in a line, as JSON has it, without quotes; empty when there is none.
// `name` is `,"agent":"`.
std::string_view raw_member(std::string_view members, std::string_view name);

}  // namespace reeve::audit

#endif  // REEVE_PROXY_AUDIT_INDEX_H_
