// See retried.h. Tested by tests/e2e/retry_test.mjs.
#include "proxy/retried.h"

#include <fmt/format.h>

#include "proxy/digest.h"
#include "proxy/worker.h"

namespace reeve {
namespace {

constexpr size_t kLongestKey = 255;

// Each part says how long it is, so that no two lists of parts are one text.
class Parts {
 public:
  Parts& add(std::string_view part) {
    text_ += fmt::format("{}:", part.size());
    text_ += part;
    return *this;
  }
  policy::Sha256 digest(std::string_view rest = {}) const { return sha256(text_, rest); }

 private:
  std::string text_;
};

// Null where the upstream honours none.
policy::Retries* keys_of(const Exchange& x) {
  return x.worker.services().retry_keys.find(x.upstream->config().name);
}

// What the upstream sees of the call, but for fields that differ between attempts.
policy::Sha256 call_of(const Exchange& x) {
  Parts parts;
  parts.add(x.head.method).add(x.path.forward).add(x.head.query);
  for (const http::FieldKey& name :
       {http::FieldKey("content-type"), http::FieldKey("content-encoding")}) {
    parts.add(x.head.fields.single(name).value_or(""));
  }
  return parts.digest(x.body_buffered ? std::string_view(x.connection.work->body)
                                      : std::string_view());
}

}  // namespace

bool uses_key(const Exchange& x) {
  if (x.upstream == nullptr || (x.head.method != "POST" && x.head.method != "PATCH")) return false;
  // What is counted in tokens costs what each answer says. Report mode refuses nothing.
  if (x.upstream->config().meter != Meter::kNone || x.snapshot->policy->report()) return false;
  return x.head.fields.count("idempotency-key") > 0 && keys_of(x) != nullptr;
}

bool recognise_retry(Exchange& x) {
  if (!uses_key(x)) return true;
  const auto key = x.head.fields.single("idempotency-key");
  if (!key || key->empty() || key->size() > kLongestKey) {
    return x.refuse(400, "malformed", "Idempotency-Key is no single text of 1 to 255 bytes");
  }
  policy::Retries& retries = *keys_of(x);
  const policy::Sha256 name =
      Parts().add(x.agent_info()->name).add(x.call.upstream).add(*key).digest();
  using Standing = policy::Retries::Standing;
  const Standing standing = retries.begin(name, call_of(x), x.started);
  switch (standing) {
    case Standing::kUnderWay:
      return x.refuse(409, "retry",
                      "the first attempt with this Idempotency-Key is under way; repeat the same "
                      "call when it has ended");
    case Standing::kDiffers:
      return x.refuse(422, "retry",
                      "this Idempotency-Key was used for another call; use a new key for a new "
                      "call");
    case Standing::kFirst:
    case Standing::kCharged:
    case Standing::kNoRoom:
      break;
  }
  x.retried = std::make_shared<Retried>(retries, name, standing == Standing::kCharged,
                                        standing == Standing::kFirst);
  return true;
}

}  // namespace reeve
