// Tested end to end by tests/e2e/join_test.mjs.
#include "proxy/join/gather.h"

#include "proxy/worker.h"

namespace reeve::join {
namespace {

// Whose session the upstream is asked in; `ready` false: it cannot be asked.
struct Road {
  bool ready = false;
  std::shared_ptr<Session> via;
};

net::Task<Road> find_road(std::shared_ptr<Round> round, size_t place) {
  Asked& asked = round->asked[place];
  Road road;
  road.via = round->session;
  if (!road.via) {
    const Eras::Speaks speaks = co_await find_era(round->asker, asked.upstream);
    if (speaks == Eras::Speaks::kUnknown || round->over) co_return Road{};
    asked.bridged = speaks == Eras::Speaks::kLegacyOnly;
    if (!asked.bridged) co_return Road{true, nullptr};
    road.via = round->asker.worker->services().join.sessions.bridge(round->agent);
  }
  road.ready = co_await ensure_open(round->asker, road.via, asked.upstream, round->until);
  if (round->over) road.ready = false;
  co_return road;
}

std::vector<OwnField> fields_of(const Round& round, const Asked& asked, const Road& road) {
  if (road.via) return session_fields(*road.via, asked.upstream);
  std::vector<OwnField> fields;
  if (!round.version.empty()) fields.emplace_back("MCP-Protocol-Version", round.version);
  fields.emplace_back("Mcp-Method", round.method);
  return fields;
}

// False: the upstream knows the session no more.
net::Task<bool> ask_once(std::shared_ptr<Round> round, size_t place, Road road) {
  Asked& asked = round->asked[place];
  Part part(*round->asker.worker, round->asker.caller);
  asked.part = &part;
  const bool ends = round->what == Ask::kEnd;
  const bool begun =
      co_await part.begin(ends ? "DELETE" : "POST", asked.upstream, fields_of(*round, asked, road),
                          ends            ? std::string()
                          : asked.bridged ? asked.bridged_body
                                          : asked.body);
  bool known = true;
  if (begun && !round->over) {
    known = !road.via || part.status() != 404;
    const bool answers = round->what == Ask::kAnswer || round->what == Ask::kDiscover;
    if (known && answers) {
      auto text = co_await read_answer(*round->asker.worker, part,
                                       asked.bridged ? asked.bridged_key : asked.key);
      if (text) asked.message = std::move(*text);
      asked.reached = !asked.message.empty();
    } else {
      asked.reached = part.status() < 500;
    }
  }
  asked.part = nullptr;
  co_return known;
}

net::Task<void> ask(std::shared_ptr<Round> round, size_t place) {
  Asked& asked = round->asked[place];
  for (bool again = false;; again = true) {
    const Road road = co_await find_road(round, place);
    if (!road.ready) {
      asked.late = steady_now() >= round->until;
      co_return;
    }
    const bool opens = round->what == Ask::kOpen || (round->what == Ask::kDiscover && road.via);
    if (opens) {
      asked.reached = true;
      co_return;
    }
    const uint64_t generation = road.via ? road.via->way(asked.upstream).generation : 0;
    if (co_await ask_once(round, place, road) || again || round->over) co_return;
    if (round->what == Ask::kEnd) co_return;
    road.via->lost(asked.upstream, generation);
  }
}

}  // namespace

void start(const std::shared_ptr<Round>& round) {
  round->left = round->asked.size();
  for (size_t place = 0; place < round->asked.size(); ++place) {
    net::spawn(round->asker.worker->context(), ask(round, place),
               [round, place](const std::exception_ptr&) {
                 round->asked[place].done = true;
                 if (--round->left == 0) round->wake->set();
               });
  }
}

void give_up(Round& round) {
  round.over = true;
  for (Asked& each : round.asked) {
    if (each.part != nullptr) each.part->cancel();
  }
}

}  // namespace reeve::join
