// See guard_deltas.h. The shapes: OpenAI's API reference (streaming of chat completions, of
// completions and of responses), Anthropic's "Streaming Messages", Google's
// GenerateContentResponse.
#include "proxy/guard_deltas.h"

#include <algorithm>

namespace reeve {
namespace {

constexpr size_t kChannelsMost = 256;

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// An index, or whatever tells one part of an answer from another; empty when it is absent.
std::string mark_of(const json::Value& object, std::string_view key) {
  const auto value = object.find(key);
  return value ? std::string(value->raw()) : std::string();
}

bool says(const json::Value& object, std::string_view key) {
  const auto value = object.find(key);
  return value && !value->is_null();
}

// Members of a delta that are no text: words of the protocol, and what is told once and whole.
bool is_no_text(std::string_view member) {
  constexpr std::string_view kWords[] = {"role",      "type",        "id",
                                         "signature", "stop_reason", "stop_sequence"};
  return std::find(std::begin(kWords), std::end(kWords), member) != std::end(kWords);
}

}  // namespace

void GuardedDeltas::add(const json::Value& text, const std::string& group, std::string_view member,
                        Found& found) {
  std::string scratch;
  std::string key = group;
  key.append(1, '/').append(member);
  found.deltas.push_back({std::move(key), group, text.offset(), text.offset() + text.raw().size(),
                          std::string(text.text(scratch))});
}

void GuardedDeltas::add_members(const json::Value& object, const std::string& group, Found& found) {
  std::string scratch;
  for (const json::Member member : object.members()) {
    const std::string_view key = member.key.text(scratch);
    if (member.value.is_string() && !is_no_text(key)) add(member.value, group, key, found);
    if (key != "tool_calls" || !member.value.is_array()) continue;
    for (const json::Value call : member.value.items()) {
      const auto function = call.is_object() ? call.find("function") : std::nullopt;
      const auto text =
          function && function->is_object() ? function->find("arguments") : std::nullopt;
      if (text && text->is_string()) add(*text, group, "tool" + mark_of(call, "index"), found);
    }
  }
}

void GuardedDeltas::find_in_choices(const json::Value& choices, Found& found) {
  for (const json::Value choice : choices.items()) {
    if (!choice.is_object()) continue;
    const std::string group = "choice" + mark_of(choice, "index");
    if (const auto delta = choice.find("delta"); delta && delta->is_object()) {
      add_members(*delta, group, found);
    }
    if (const auto text = choice.find("text"); text && text->is_string()) {
      add(*text, group, "text", found);
    }
    if (says(choice, "finish_reason")) found.ended.push_back(group);
  }
}

void GuardedDeltas::find_in_candidates(const json::Value& candidates, Found& found) {
  for (const json::Value candidate : candidates.items()) {
    if (!candidate.is_object()) continue;
    const std::string group = "candidate" + mark_of(candidate, "index");
    const auto content = candidate.find("content");
    const auto parts = content && content->is_object() ? content->find("parts") : std::nullopt;
    if (parts && parts->is_array()) {
      for (const json::Value part : parts->items()) {
        const auto text = part.is_object() ? part.find("text") : std::nullopt;
        if (text && text->is_string()) add(*text, group, mark_of(part, "thought"), found);
      }
    }
    if (says(candidate, "finishReason")) found.ended.push_back(group);
  }
}

void GuardedDeltas::find_by_type(const json::Value& root, std::string_view type, Found& found) {
  if (type == "message_stop" || type == "message_delta" || type == "response.completed" ||
      type == "response.incomplete" || type == "response.failed") {
    found.all_ended = true;
    return;
  }
  std::string group = "block" + mark_of(root, "index");
  for (const std::string_view key : {"item_id", "output_index", "content_index", "id"}) {
    group.append(1, ' ').append(mark_of(root, key));
  }
  const bool ends = ends_with(type, ".done") || ends_with(type, "_stop") || ends_with(type, "-end");
  if (ends) found.ended.push_back(group);
  if (!ends_with(type, "delta")) return;
  const auto delta = root.find("delta");
  if (delta && delta->is_string()) add(*delta, group, "delta", found);
  if (delta && delta->is_object()) add_members(*delta, group, found);
}

void GuardedDeltas::find(const json::Value& root, Found& found) {
  if (const auto choices = root.find("choices"); choices && choices->is_array()) {
    find_in_choices(*choices, found);
  }
  if (const auto candidates = root.find("candidates"); candidates && candidates->is_array()) {
    find_in_candidates(*candidates, found);
  }
  std::string scratch;
  if (const auto type = root.find("type"); type && type->is_string()) {
    find_by_type(root, type->text(scratch), found);
  }
  std::sort(found.deltas.begin(), found.deltas.end(),
            [](const Delta& a, const Delta& b) { return a.begin < b.begin; });
}

GuardedDeltas::Channel* GuardedDeltas::channel_of(const Delta& delta) {
  for (Channel& channel : channels_) {
    if (channel.key == delta.key) return &channel;
  }
  if (channels_.size() == kChannelsMost) return nullptr;
  return &channels_.emplace_back(tools_.examiner, delta);
}

// What each delta of an event becomes.
bool GuardedDeltas::feed(const Found& found, std::vector<std::string>& texts,
                         const OnReport& on_report) {
  for (const Delta& delta : found.deltas) {
    Channel* channel = channel_of(delta);
    if (channel == nullptr) {
      return on_report(doubtful("it tells more texts at once than are followed")), false;
    }
    std::string& text = texts.emplace_back();
    if (!on_report(channel->text.feed(delta.text, text))) return false;
  }
  return true;
}

// Keeps the event, its texts empty, to tell what is still held of them.
void GuardedDeltas::remember(std::string_view name, std::string_view data, const Found& found) {
  auto blank = std::make_shared<std::string>();
  std::vector<size_t> places;
  size_t done = 0;
  for (const Delta& delta : found.deltas) {
    blank->append(data.substr(done, delta.begin - done));
    places.push_back(blank->size());
    blank->append("\"\"");
    done = delta.end;
  }
  blank->append(data.substr(done));
  for (size_t i = 0; i < found.deltas.size(); ++i) {
    Channel& channel = *channel_of(found.deltas[i]);
    channel.name = name;
    channel.last = blank;
    channel.at = places[i];
  }
}

bool GuardedDeltas::end(Channel& channel, std::vector<Event>& before, const OnReport& on_report) {
  std::string rest;
  if (!on_report(channel.text.finish(rest))) return false;
  if (rest.empty()) return true;
  std::string quoted;
  json::append_string(quoted, rest);
  std::string data = channel.last->substr(0, channel.at);
  data.append(quoted).append(*channel.last, channel.at + 2);
  before.push_back({channel.name, std::move(data)});
  return true;
}

bool GuardedDeltas::pass(std::string_view name, std::string_view data, std::vector<Event>& before,
                         std::string& out, bool& changed, const OnReport& on_report) {
  const auto root = tools_.json.parse(data);
  if (!root || !root->is_object()) return true;
  Found found;
  find(*root, found);
  std::vector<std::string> texts;
  if (!feed(found, texts, on_report)) return false;
  const auto has_ended = [&](const Channel& channel) {
    return found.all_ended ||
           std::find(found.ended.begin(), found.ended.end(), channel.group) != found.ended.end();
  };
  const bool any_ended = found.all_ended || !found.ended.empty();
  // A text that ends in the event that tells its last words ends there, the others before it.
  for (size_t i = found.deltas.size(); i-- > 0;) {
    Channel& channel = *channel_of(found.deltas[i]);
    if (has_ended(channel) && !on_report(channel.text.finish(texts[i]))) return false;
  }
  if (!found.deltas.empty()) remember(name, data, found);
  for (auto channel = channels_.begin(); any_ended && channel != channels_.end();) {
    if (!has_ended(*channel)) {
      ++channel;
      continue;
    }
    if (!end(*channel, before, on_report)) return false;
    channel = channels_.erase(channel);
  }
  if (found.deltas.empty()) return true;
  out.clear();
  size_t done = 0;
  for (size_t i = 0; i < found.deltas.size(); ++i) {
    out.append(data.substr(done, found.deltas[i].begin - done));
    json::append_string(out, texts[i]);
    done = found.deltas[i].end;
    changed = changed || texts[i] != found.deltas[i].text;
  }
  out.append(data.substr(done));
  return true;
}

bool GuardedDeltas::finish(std::vector<Event>& before, const OnReport& on_report) {
  for (Channel& channel : channels_) {
    if (!end(channel, before, on_report)) return false;
  }
  channels_.clear();
  return true;
}

}  // namespace reeve
