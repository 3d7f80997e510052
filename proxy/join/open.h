// The way to an upstream: which era it is spoken to in, and its session where that needs one.
#ifndef REEVE_PROXY_JOIN_OPEN_H_
#define REEVE_PROXY_JOIN_OPEN_H_

#include <memory>
#include <string>
#include <string_view>

#include "proxy/join/part.h"
#include "proxy/join/session.h"
#include "proxy/worker.h"

namespace reeve::join {

// Who asks: the agent's worker and credentials. Cheap to copy, and to be copied into coroutines.
struct Asker {
  Worker* worker;
  std::shared_ptr<const Caller> caller;
};

// The one answer in `part` to the request with this id; nothing when there is none. Events about
// other things are left out.
net::Task<std::optional<std::string>> read_answer(Worker& worker, Part& part, std::string id_key);

// Opens `session` at `upstream` unless it is open: initialize, in the client's words. Whether it is
// open by `until`; what has not come to its end by then goes on without the caller. With `waits`,
// the wait ends also when that connection is cut.
net::Task<bool> ensure_open(Asker asker, std::shared_ptr<Session> session, std::string upstream,
                            Steady until, Connection* waits = nullptr);

// Which eras the upstream speaks, asked (server/discover) if it is not known. kUnknown: it cannot
// be reached.
net::Task<Eras::Speaks> find_era(Asker asker, std::string upstream);

// The fields of a request in an open session.
std::vector<OwnField> session_fields(const Session& session, std::string_view upstream);

// Sends what has no answer, in an open session.
net::Task<void> notify(Asker asker, std::shared_ptr<Session> session, std::string upstream,
                       std::string body);

inline constexpr std::string_view kModernVersion = "2026-07-28";

}  // namespace reeve::join

#endif  // REEVE_PROXY_JOIN_OPEN_H_
