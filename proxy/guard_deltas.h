// The text of a model that comes word by word, each in an event of its own, as guards must see it:
// as one text. Understood are the streams of OpenAI (chat, completions, responses), Anthropic,
// Gemini, and those that are made like them.
//
// A text goes on as soon as no match can reach over its end (policy/guard_stream.h). What is still
// held when the model ends it goes on in one more event like the last, before the one that ends it.
// Tested by tests/proxy/guard_deltas_test.cc.
#ifndef REEVE_PROXY_GUARD_DELTAS_H_
#define REEVE_PROXY_GUARD_DELTAS_H_

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/guard_stream.h"
#include "proxy/guard_body.h"

namespace reeve {

class GuardedDeltas {
 public:
  struct Event {
    std::string name;
    std::string data;
  };

  // The guards are those in use by tools.examiner at each call.
  explicit GuardedDeltas(GuardTools& tools) : tools_(tools) {}

  // One event's data. Appends to `before` the events that must go first; sets `changed` where
  // `out` goes on in place of `data`. False: ended by `on_report`, or too many texts at once.
  bool pass(std::string_view name, std::string_view data, std::vector<Event>& before,
            std::string& out, bool& changed, const OnReport& on_report);
  // The end of all texts: of the stream, or said by an event that is no JSON (`[DONE]`).
  bool finish(std::vector<Event>& before, const OnReport& on_report);
  // After a report that refuses, where the stream goes on all the same: begins anew.
  void forget() { channels_.clear(); }

 private:
  struct Delta {
    std::string key;    // of its text
    std::string group;  // of texts that end together
    size_t begin;       // of the string in the data
    size_t end;
    std::string text;
  };
  struct Found {
    std::vector<Delta> deltas;
    std::vector<std::string> ended;  // groups
    bool all_ended = false;
  };
  struct Channel {
    Channel(policy::GuardExaminer& examiner, const Delta& of)
        : key(of.key), group(of.group), text(examiner) {}
    std::string key;
    std::string group;
    policy::GuardTextStream text;
    std::string name;                         // of the last event
    std::shared_ptr<const std::string> last;  // its data, all texts in it empty
    size_t at = 0;                            // where this one's is
  };

  static void find(const json::Value& root, Found& found);
  static void find_in_choices(const json::Value& choices, Found& found);
  static void find_in_candidates(const json::Value& candidates, Found& found);
  static void find_by_type(const json::Value& root, std::string_view type, Found& found);
  static void add_members(const json::Value& object, const std::string& group, Found& found);
  static void add(const json::Value& text, const std::string& group, std::string_view member,
                  Found& found);
  Channel* channel_of(const Delta& delta);
  bool end(Channel& channel, std::vector<Event>& before, const OnReport& on_report);
  bool feed(const Found& found, std::vector<std::string>& texts, const OnReport& on_report);
  void remember(std::string_view name, std::string_view data, const Found& found);

  GuardTools& tools_;
  std::list<Channel> channels_;
};

}  // namespace reeve

#endif  // REEVE_PROXY_GUARD_DELTAS_H_
