// What is wrong with a file, and where: `file:line:column: error: message`.
//
// Messages are lower case, carry the text at fault in backticks and end with the remedy.
// Every loader reports all errors of one run; nothing throws for bad input.
#ifndef REEVE_POLICY_DIAGNOSTIC_H_
#define REEVE_POLICY_DIAGNOSTIC_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace reeve {

// Lines and columns count from 1; 0 means the file as a whole.
struct Place {
  std::string file;
  uint32_t line = 0;
  uint32_t column = 0;
};

enum class Severity : uint8_t { kError, kWarning };

struct Diagnostic {
  Severity severity = Severity::kError;
  Place place;
  std::string message;
};

class Diagnostics {
 public:
  void error(Place place, std::string message);
  void warning(Place place, std::string message);
  bool has_errors() const { return errors_ > 0; }
  size_t error_count() const { return errors_; }
  const std::vector<Diagnostic>& all() const { return all_; }

 private:
  std::vector<Diagnostic> all_;
  size_t errors_ = 0;
};

// `file:line:column: error: message`; parts that are 0 are left out.
std::string to_string(const Diagnostic& diagnostic);
std::string to_string(const Place& place);

// The candidate nearest to `word` by edit distance, or empty when none is near enough to suggest.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace reeve

#endif  // REEVE_POLICY_DIAGNOSTIC_H_
