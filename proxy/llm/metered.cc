// See metered.h. Tested by tests/proxy/llm_metered_test.cc and tests/e2e/llm_*_test.mjs.
#include "proxy/llm/metered.h"

namespace reeve::llm {

namespace {

std::string_view media_type(const http::Fields& fields) {
  std::string_view media = fields.single("content-type").value_or("");
  media = media.substr(0, media.find(';'));
  while (media.ends_with(' ') || media.ends_with('\t')) media.remove_suffix(1);
  return media;
}

// Whatever the agent asked for, reeve asked for none.
bool is_coded(const http::Fields& fields) {
  const auto coding = fields.single("content-encoding");
  return fields.count("content-encoding") > 0 && !(coding && http::iequals(*coding, "identity"));
}

}  // namespace

std::string_view to_string(Unmeasured why) {
  switch (why) {
    case Unmeasured::kNo:
      return "";
    case Unmeasured::kNoAnswer:
      return "no-answer";
    case Unmeasured::kMissing:
      return "missing";
    case Unmeasured::kUnreadable:
      return "unreadable";
    case Unmeasured::kCut:
      return "cut";
    case Unmeasured::kUnpriced:
      return "unpriced";
  }
  return "";
}

void Metered::begin(const http::ResponseHead& head, size_t most_bytes) {
  status_ = head.status;
  most_bytes_ = most_bytes;
  const std::string_view media = media_type(head.fields);
  if (is_coded(head.fields)) {
    form_ = Form::kUnread;
  } else if (http::iequals(media, "text/event-stream")) {
    form_ = Form::kEvents;
    events_.emplace(most_bytes);
  } else {
    form_ = Form::kJson;  // whatever it says to be: what is no JSON tells nothing
  }
}

void Metered::on_event(const mcp::Event& event) {
  const bool is_data = !event.comment && event.has_data && !event.data.empty();
  const bool hidden = is_data && usage_.read_event(event.data);
  if (hides_ && !hidden) mcp::append_event(text_, event);
}

std::optional<std::string_view> Metered::pass(std::string_view bytes) {
  if (form_ == Form::kEvents) {
    if (hides_) text_.clear();
    const bool fits =
        !overflowed_ && events_->feed(bytes, [this](const mcp::Event& event) { on_event(event); });
    overflowed_ = !fits;
    if (!hides_) return bytes;
    if (!fits) return std::nullopt;
    return text_;
  }
  if (form_ == Form::kJson && !overflowed_) {
    overflowed_ = text_.size() + bytes.size() > most_bytes_;
    if (!overflowed_) text_ += bytes;
  }
  return bytes;
}

void Metered::end(bool whole) {
  ended_ = true;
  whole_ = whole;
  if (form_ == Form::kJson && whole && !overflowed_) usage_.read_body(text_);
}

Metered::Outcome Metered::outcome() const {
  Outcome outcome;
  outcome.model = usage_.model();
  if (status_ == 0) return outcome;
  outcome.usage = usage_.usage();
  if (outcome.usage && usage_.complete()) {
    outcome.why = Unmeasured::kNo;
  } else if (status_ >= 300) {
    outcome.is_free = true;
    outcome.why = Unmeasured::kNo;
    outcome.usage.reset();
  } else {
    outcome.usage.reset();
    const bool unreadable = form_ == Form::kUnread || overflowed_ || usage_.unreadable();
    outcome.why = unreadable           ? Unmeasured::kUnreadable
                  : !ended_ || !whole_ ? Unmeasured::kCut
                                       : Unmeasured::kMissing;
  }
  return outcome;
}

}  // namespace reeve::llm
