// Guards on a text that comes in pieces (a body that streams, what a model says word by word): what
// may be passed on is, what may still become part of a match is held back until it is told.
//
// Held back is little: the last word, and digits with what may stand between them; at most
// kHeldMost bytes. Where a guard has expressions of its own, the last kExpressionHeld bytes: a
// longer match that begins before them is not found. Places are not for texts in pieces.
#ifndef REEVE_POLICY_GUARD_STREAM_H_
#define REEVE_POLICY_GUARD_STREAM_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "policy/guard.h"

namespace reeve::policy {

class GuardTextStream {
 public:
  static constexpr size_t kHeldMost = 4096;
  static constexpr size_t kExpressionHeld = 1024;

  // `examiner` has the guards (use()), is only borrowed during a call, and must outlive this.
  explicit GuardTextStream(GuardExaminer& examiner) : examiner_(examiner) {}

  // Appends to `out` what may be passed on, redacted. The report is about what this call told:
  // where it denies, asks or doubts, nothing was appended, and the stream must end or be asked for.
  GuardReport feed(std::string_view piece, std::string& out);
  // The same for what is still held, at the end of the text.
  GuardReport finish(std::string& out);
  size_t held() const { return text_.size() - passed_; }

 private:
  GuardReport tell(size_t size, size_t cut, std::string& out);
  size_t safe_cut(size_t size) const;

  GuardExaminer& examiner_;
  std::string text_;   // the last that was passed on, as it came, and what is held
  size_t passed_ = 0;  // bytes of the former
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_GUARD_STREAM_H_
