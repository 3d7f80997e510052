// What a call that people are asked about knows of its question.
#ifndef REEVE_PROXY_APPROVALS_ASKED_H_
#define REEVE_PROXY_APPROVALS_ASKED_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/approvals.h"
#include "policy/decision.h"
#include "proxy/approvals/desk.h"

namespace reeve {
struct Snapshot;
namespace policy {
class Account;
}
}  // namespace reeve

namespace reeve::approvals {

// How the caller waits (README.md).
enum class Way : uint8_t { kHttp, kHttpAsync, kLegacy, kModern };

// A place among the calls that wait, given back when this ends.
class Place {
 public:
  Place() = default;
  Place(Desk& desk, size_t bytes) : desk_(&desk), bytes_(bytes) {}
  Place(Place&& other) noexcept
      : desk_(std::exchange(other.desk_, nullptr)), bytes_(other.bytes_) {}
  Place& operator=(Place&& other) noexcept {
    std::swap(desk_, other.desk_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Place() {
    if (desk_) desk_->give_place(bytes_);
  }
  explicit operator bool() const { return desk_ != nullptr; }

 private:
  Desk* desk_ = nullptr;
  size_t bytes_ = 0;
};

// How the ids of budgets begin, where people are asked on their behalf.
inline constexpr std::string_view kBudgetAsks = "budgets.";

// A call that budgets with `then: ask` have too little left for.
struct Over {
  std::vector<policy::RuleInfo> rules;  // as though they were rules that ask: `budgets.NAME`
  std::vector<const policy::Account*> budgets;  // what a yes raises the limit of
};

struct Asked {
  // Of a modern MCP client that comes back: the record that it names.
  std::string presented_id, presented_nonce;

  // By which it was asked, once it is decided anew: what was found before points into it.
  std::shared_ptr<const Snapshot> by;

  Way way = Way::kHttp;
  policy::ApprovalBinding bound;
  policy::Approval record;  // as last heard; without an id there is none yet
  std::string approver;     // who said yes, joined by commas, once the call is released
  std::shared_ptr<Held> held;
  Place place;
  bool events_open = false;  // the head of an event stream has been sent to the agent
  bool silent = false;       // its client has cancelled it and wants no answer
  std::string status;        // of a question about an approval: the answer
};

}  // namespace reeve::approvals

#endif  // REEVE_PROXY_APPROVALS_ASKED_H_
