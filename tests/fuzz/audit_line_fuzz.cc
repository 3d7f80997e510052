// Lines of the record and checkpoints, which whoever can write the files may have made.
#include <cstdlib>
#include <string_view>

#include "proxy/audit/checkpoint.h"
#include "proxy/audit/index.h"
#include "proxy/audit/line.h"
#include "proxy/audit/query.h"
#include "proxy/commands/audit.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reeve;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto line = audit::read_line(text)) {
    // The views are of the text, in order, and its end is fixed.
    if (line->hashed.data() != text.data() || line->prev.size() != 64) std::abort();
    if (line->hash.data() + 64 + 2 != text.data() + size) std::abort();
    audit::raw_member(line->members, ",\"agent\":\"");
    audit::read_time(line->time);
    static audit::Hasher hasher;
    hasher.matches(*line);
  }
  if (const auto checkpoint = audit::read_checkpoint_in(text)) {
    if (checkpoint->signed_text.size() > size) std::abort();
    audit::signature_holds(*checkpoint);
  }
  static audit::Searcher searcher(
      {.wanted = {{"agent", {"a"}}, {"target", {"*a*"}}}, .since = "2", .text = "a"});
  searcher.look_at(text, [](const audit::Match&) { return true; });
  const std::string shown = commands::for_terminal(text, 200);
  for (const char c : shown) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) std::abort();
  }
  audit::read_bound(text, policy::Time());
  return 0;
}
