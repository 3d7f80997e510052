// Tested by tests/proxy/approval_store_test.cc.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "proxy/store/approval_store.h"

namespace reeve::store {
namespace {

namespace bj = boost::json;

int64_t micros(policy::Time time) { return time.time_since_epoch().count(); }
policy::Time time_at(const bj::value& value) {
  return policy::Time{std::chrono::microseconds{value.as_int64()}};
}
std::string text_at(const bj::object& object, std::string_view name) {
  return std::string(object.at(name).as_string());
}

struct BindingMember {
  std::string_view name;
  std::string policy::ApprovalBinding::* member;
};
constexpr BindingMember kBinding[] = {
    {"agent", &policy::ApprovalBinding::agent},
    {"upstream", &policy::ApprovalBinding::upstream},
    {"action", &policy::ApprovalBinding::action},
    {"target", &policy::ApprovalBinding::target},
    {"query", &policy::ApprovalBinding::query},
    {"content_type", &policy::ApprovalBinding::content_type},
    {"digest", &policy::ApprovalBinding::digest},
    {"definition", &policy::ApprovalBinding::definition},
};

policy::Approval read(const bj::object& row) {
  policy::Approval a;
  a.id = text_at(row, "id");
  a.nonce = text_at(row, "nonce");
  const bj::object& bound = row.at("bound").as_object();
  for (const BindingMember& member : kBinding) a.bound.*member.member = text_at(bound, member.name);
  for (const bj::value& each : row.at("asks").as_array()) {
    a.asks.push_back({text_at(each.as_object(), "rule"), text_at(each.as_object(), "group")});
  }
  a.owner = text_at(row, "owner");
  a.policy = text_at(row, "policy");
  a.context = text_at(row, "context");
  a.within = std::chrono::seconds{row.at("within").as_int64()};
  a.asked = time_at(row.at("asked"));
  a.expires = time_at(row.at("expires"));
  a.decided = time_at(row.at("decided"));
  a.state = policy::approval_state(text_at(row, "state")).value();
  a.told = row.at("told").as_bool();
  for (const bj::value& each : row.at("votes").as_array()) {
    const bj::object& vote = each.as_object();
    a.votes.push_back({text_at(vote, "person"), vote.at("yes").as_bool(), text_at(vote, "why"),
                       time_at(vote.at("time"))});
  }
  return a;
}

}  // namespace

std::string to_row(const policy::Approval& a) {
  bj::object bound;
  for (const BindingMember& member : kBinding) bound[member.name] = a.bound.*member.member;
  bj::array asks, votes;
  for (const policy::ApprovalAsk& ask : a.asks) {
    asks.push_back(bj::object{{"rule", ask.rule}, {"group", ask.group}});
  }
  for (const policy::ApprovalVote& vote : a.votes) {
    votes.push_back(bj::object{{"person", vote.person},
                               {"yes", vote.yes},
                               {"why", vote.why},
                               {"time", micros(vote.time)}});
  }
  return bj::serialize(bj::object{{"id", a.id},
                                  {"nonce", a.nonce},
                                  {"bound", std::move(bound)},
                                  {"asks", std::move(asks)},
                                  {"owner", a.owner},
                                  {"policy", a.policy},
                                  {"context", a.context},
                                  {"within", a.within.count()},
                                  {"asked", micros(a.asked)},
                                  {"expires", micros(a.expires)},
                                  {"decided", micros(a.decided)},
                                  {"state", policy::to_string(a.state)},
                                  {"votes", std::move(votes)},
                                  {"told", a.told}});
}

std::optional<policy::Approval> from_row(const std::string& text) {
  // What is missing or of another type throws, whichever member it is.
  try {
    return read(bj::parse(text).as_object());
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace reeve::store
