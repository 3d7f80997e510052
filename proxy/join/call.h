// One request to /mcp, from its head to the end of its answer.
//
// What names a tool, prompt or resource goes to one upstream (single.cc), what is about all of them
// to each that the agent may use (fan.cc), streams are joined (stream.cc). Each part is a call of
// its own (part.h); this decides nothing.
#ifndef REEVE_PROXY_JOIN_CALL_H_
#define REEVE_PROXY_JOIN_CALL_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/exchange.h"
#include "proxy/join/merge.h"
#include "proxy/join/open.h"
#include "proxy/join/translate.h"

namespace reeve::join {

struct Funnel;
struct Round;
struct Subscription;

// Whether the path is the joined endpoint's.
bool is_endpoint(std::string_view path);

class Call {
 public:
  explicit Call(Exchange& exchange);
  ~Call();

  // Reads the message and finds whose it is. False: exchange.refusal says why not.
  net::Task<bool> read();
  // Whether the call is one of reeve's own, with lines of its own, beside those of its parts.
  // Otherwise it is the one call to an upstream, which has them.
  bool stands_alone() const { return target_ == Target::kAll; }
  // Answers it.
  net::Task<void> run();

 private:
  enum class Target : uint8_t { kAll, kOne, kNobody };

  // read()
  net::Task<bool> read_post();
  bool find_session(bool required);
  bool find_target();
  bool find_response();
  bool find_notification();
  bool find_request();
  bool find_named(std::string_view kind);
  bool find_resource(std::string_view uri);
  bool find_stream();
  bool refuse_rpc(int status, int code, std::string text, std::string_view reason);
  bool go_to(std::string_view upstream, std::string_view name);
  bool may_use(std::string_view upstream) const;
  bool is_mcp(std::string_view upstream) const;

  // single.cc
  struct Single;
  net::Task<void> run_single();
  net::Task<bool> open_single(Single& single);
  void cancel_bridged(const Single& single);
  net::Task<bool> begin_single(Part& part, const Single& single, std::string body);
  net::Task<void> pass_on(Part& part, Single& single);
  net::Task<void> pass_events(Part& part, Single& single);
  std::vector<OwnField> fields_of_single(const Single& single) const;
  std::string key_of(const Single& single) const;
  std::string shown_of(const Single& single) const;
  std::string event_id(const Single& single, std::string_view id) const;

  // fan.cc
  net::Task<void> run_all();
  net::Task<void> initialize();
  net::Task<void> discover();
  net::Task<void> list(mcp::List which);
  net::Task<void> set_level();
  net::Task<void> tell_all();
  net::Task<void> end_session();
  std::vector<Introduction> introductions(std::span<const Said> said) const;
  std::vector<std::string> open_ones() const;
  // gather.cc: the same message to several, within the patience; what came, in their order.
  net::Task<std::vector<Said>> gather(std::shared_ptr<Round> round);
  std::shared_ptr<Round> round_of(const std::vector<std::string>& upstreams) const;

  // stream.cc
  static constexpr uint64_t kNoneSeen = ~uint64_t{0};
  net::Task<void> join_streams();
  void start_streams(const std::shared_ptr<Funnel>& funnel, uint64_t& openings);
  std::vector<Subscription> subscriptions() const;

  // Answers of reeve's own.
  net::Task<void> answer(int status, std::string_view body,
                         std::span<const http::Field> extra = {});
  net::Task<void> answer_result(std::string_view members);
  net::Task<void> answer_error(int status, int code, std::string_view text);

  bool modern() const;
  // What the client's message is for an upstream.
  Translator translator(std::string_view upstream) const;
  std::string holder() const { return session_ ? session_->holder() : std::string(agent_); }
  const mcp::Message& message() const { return *x_.message; }
  Shared& shared() const;

  Exchange& x_;
  std::string agent_;
  std::vector<std::string> usable_;  // MCP upstreams that the agent may use, in reeve.yaml's order
  std::shared_ptr<Session> session_;
  Asker asker_;
  Target target_ = Target::kNobody;
  std::string upstream_;    // of kOne
  std::string name_;        // there
  std::string body_;        // what is sent there, where it is not the message translated
  std::string key_;         // of the request's id
  std::string last_event_;  // of a GET: the upstream's id, or each upstream's
};

}  // namespace reeve::join

#endif  // REEVE_PROXY_JOIN_CALL_H_
