// Jobs in a queue, run one by one. Each applies a change to the records, keeps it, and takes it
// back where it cannot be kept. Tested by tests/e2e/approval_*_test.mjs.
#include "proxy/approvals/desk.h"

#include <openssl/rand.h>

#include <algorithm>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "proxy/approvals/before.h"
#include "proxy/ids.h"
#include "proxy/log.h"

namespace reeve::approvals {

namespace asio = boost::asio;
using policy::Approval;
using policy::Approvals;
using policy::ApprovalState;

namespace {

constexpr std::chrono::milliseconds kLongestSleep{1000};

std::string new_nonce() {
  uint8_t bytes[16];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return {};
  std::string out;
  append_hex(out, bytes, sizeof bytes);
  return out;
}

}  // namespace

// A coroutine that waits for its job, and the loop that it runs in. Resumed with whether the job
// was run; always by a post.
struct Desk::Waiter {
  asio::executor_work_guard<net::Executor> loop;
  asio::any_completion_handler<void(bool)> handler;

  void resume(bool ok) && {
    asio::post(loop.get_executor(),
               [handler = std::move(handler), ok]() mutable { std::move(handler)(ok); });
  }
};

// A record before a change; without one it was not there.
struct Desk::Before {
  std::string id;
  std::optional<Approval> record;
};

Result<std::unique_ptr<Desk>> Desk::open(std::unique_ptr<store::ApprovalStore> store,
                                         Journal& journal, Options options) {
  auto kept = store->load();
  if (!kept) return kept.error();
  std::unique_ptr<Desk> desk(new Desk(std::move(store), journal, std::move(options)));
  for (Approval& record : *kept) desk->records_.put(std::move(record));
  desk->counts_.pending = desk->records_.pending();
  desk->thread_ = std::thread([desk = desk.get()] { desk->run(); });
  return desk;
}

Result<std::unique_ptr<Desk>> Desk::open(const std::string& file, Journal& journal,
                                         Options options) {
  auto store = store::SqliteApprovalStore::open(file);
  if (!store) return store.error();
  return open(std::move(*store), journal, std::move(options));
}

Desk::Desk(std::unique_ptr<store::ApprovalStore> store, Journal& journal, Options options)
    : store_(std::move(store)),
      journal_(journal),
      options_(std::move(options)),
      records_(options_.limits) {}

Desk::~Desk() { stop(); }

void Desk::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Desk::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (jobs_.empty()) {
      auto sleep = kLongestSleep;
      if (const auto next = records_.next_expiry()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - wall_now());
        sleep = std::clamp(left, std::chrono::milliseconds(1), kLongestSleep);
      }
      wake_.wait_for(lock, sleep, [this] { return stopping_ || !jobs_.empty(); });
    }
    auto jobs = std::exchange(jobs_, {});
    lock.unlock();
    expire();
    for (auto& job : jobs) {
      job();
      job = nullptr;  // its caller goes on
    }
    lock.lock();
  }
  auto jobs = std::exchange(jobs_, {});
  lock.unlock();
}

bool Desk::submit(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  jobs_.push_back(std::move(job));
  wake_.notify_one();
  return true;
}

net::Task<bool> Desk::on_thread(std::function<void()> job) {
  const bool done = co_await asio::async_initiate<decltype(net::kAwait), void(bool)>(
      [this, &job](auto handler) {
        const net::Executor loop = asio::get_associated_executor(handler);
        // A job that is dropped, because the desk stops, resumes its caller all the same.
        struct Promise {
          Waiter waiter;
          bool ran = false;
          explicit Promise(Waiter made) : waiter(std::move(made)) {}
          ~Promise() { std::move(waiter).resume(ran); }
        };
        auto promise =
            std::make_shared<Promise>(Waiter{asio::make_work_guard(loop), std::move(handler)});
        submit([promise, run = std::move(job)] {
          run();
          promise->ran = true;
        });
      },
      net::kAwait);
  co_return done;
}

net::Task<Result<Desk::Asked>> Desk::ask(Approvals::Question question, std::string id,
                                         std::string call, std::shared_ptr<Held> held) {
  auto result = std::make_shared<Result<Asked>>(Error{"the approvals are closed"});
  Listener listener;
  if (held) listener = {held, &held->context, held->key};
  co_await on_thread([this, result, question = std::move(question), id = std::move(id),
                      call = std::move(call), listener = std::move(listener)]() mutable {
    *result = ask_now(question, id, call, listener);
  });
  co_return std::move(*result);
}

Result<Desk::Asked> Desk::ask_now(Approvals::Question& question, const std::string& id,
                                  std::string_view call, const Listener& listener) {
  std::string nonce = new_nonce();
  if (nonce.empty()) return Error{"the system gives no random numbers"};
  std::vector<Before> before;
  if (const Approval* found = records_.find_bound(question.bound)) {
    before.push_back({found->id, *found});
  } else if (!options_.audit_path.empty()) {
    question.context += history_of(options_.audit_path, question.bound.agent);
  }
  const Approvals::Answer answer =
      records_.ask(std::move(question), id, std::move(nonce), wall_now());
  using Kind = Approvals::Answer::Kind;
  if (answer.kind == Kind::kTooMany && answer.voided.empty()) return Asked{};
  if (answer.kind == Kind::kCreated) before.push_back({id, std::nullopt});
  if (answer.kind != Kind::kAttached) {
    if (const auto kept = keep(before, call); !kept) return kept.error();
  }
  if (answer.kind == Kind::kTooMany) return Asked{};
  const Approval& record = *records_.find(answer.id);
  if (record.open() && !listener.held.expired()) {
    auto& listeners = held_[answer.id];
    std::erase_if(listeners, [](const Listener& each) { return each.held.expired(); });
    listeners.push_back(listener);
  }
  return Asked{answer.kind, record};
}

net::Task<Result<Approvals::Released>> Desk::release(std::string id, policy::ApprovalBinding bound,
                                                     std::vector<policy::ApprovalAsk> asks,
                                                     Policy policy) {
  auto result = std::make_shared<Result<Approvals::Released>>(Error{"the approvals are closed"});
  co_await on_thread([this, result, id = std::move(id), bound = std::move(bound),
                      asks = std::move(asks), policy = std::move(policy)]() mutable {
    const Approval* found = records_.find(id);
    if (found == nullptr) {
      *result = Approvals::Released::kUnknown;
      return;
    }
    const std::vector<Before> before{{id, *found}};
    const auto released =
        records_.release(id, bound, std::move(asks), policy->approver_groups(), wall_now());
    if (const auto kept = keep(before, {}); kept) {
      *result = released;
    } else {
      *result = kept.error();
    }
  });
  co_return std::move(*result);
}

void Desk::void_open(std::string id) {
  submit([this, id = std::move(id)] {
    const Approval* found = records_.find(id);
    if (found == nullptr) return;
    const std::vector<Before> before{{id, *found}};
    if (!records_.void_open(id, wall_now())) return;
    if (const auto kept = keep(before, {}); !kept) log(LogLevel::kError, kept.error().message);
  });
}

net::Task<Result<Approvals::Voted>> Desk::vote(std::string id, std::string person, bool yes,
                                               std::string why, Policy policy) {
  auto result = std::make_shared<Result<Approvals::Voted>>(Error{"the approvals are closed"});
  co_await on_thread([this, result, yes, id = std::move(id), person = std::move(person),
                      why = std::move(why), policy = std::move(policy)]() mutable {
    const Approval* found = records_.find(id);
    if (found == nullptr) {
      *result = Approvals::Voted::kUnknown;
      return;
    }
    const std::vector<Before> before{{id, *found}};
    const auto voted =
        records_.vote(id, person, yes, std::move(why), policy->approver_groups(), wall_now());
    if (voted == Approvals::Voted::kDecided && !yes && is_waited_for(id)) records_.mark_told(id);
    if (const auto kept = keep(before, {}); kept) {
      *result = voted;
    } else {
      *result = kept.error();
    }
  });
  co_return std::move(*result);
}

net::Task<Result<size_t>> Desk::stop_open(About about, std::string person, std::string why) {
  auto result = std::make_shared<Result<size_t>>(Error{"the approvals are closed"});
  co_await on_thread(
      [this, result, about = std::move(about), person = std::move(person), why = std::move(why)] {
        std::vector<Before> before;
        for (const auto& [id, record] : records_.all()) {
          if (record.open() && about(record.bound)) before.push_back({id, record});
        }
        for (const Before& each : before) records_.stop(each.id, person, why, wall_now());
        if (const auto kept = keep(before, {}); kept) {
          *result = before.size();
        } else {
          *result = kept.error();
        }
      });
  co_return std::move(*result);
}

net::Task<std::optional<Approval>> Desk::find(std::string id) {
  auto result = std::make_shared<std::optional<Approval>>();
  co_await on_thread([this, result, id = std::move(id)] {
    if (const Approval* found = records_.find(id)) *result = *found;
  });
  co_return std::move(*result);
}

net::Task<std::vector<Approval>> Desk::list(bool all) {
  auto result = std::make_shared<std::vector<Approval>>();
  co_await on_thread([this, result, all] {
    for (const auto& [id, record] : records_.all()) {
      if (all || record.open()) result->push_back(record);
    }
    std::reverse(result->begin(), result->end());
  });
  co_return std::move(*result);
}

// On disk, in the record, and then told; or as it was.
Result<store::Done> Desk::keep(const std::vector<Before>& before, std::string_view call) {
  std::vector<const Approval*> records;
  bool changed = false;
  for (const Before& was : before) {
    const Approval* is = records_.find(was.id);
    records.push_back(is);
    changed = changed || !was.record || was.record->state != is->state ||
              was.record->told != is->told || was.record->votes.size() != is->votes.size();
  }
  if (!changed) return store::Done{};
  const std::vector<std::string> surplus = records_.surplus();
  if (const auto saved = store_->save(records, surplus); !saved) {
    take_back(before);
    return saved.error();
  }
  for (size_t i = 0; i < before.size(); ++i) {
    const auto& was = before[i].record;
    const Approval& is = *records[i];
    const bool news = !was || was->state != is.state || was->votes.size() != is.votes.size();
    if (!news || write_line(is, was ? std::string_view{} : call)) continue;
    // As though it had not been: what of it is in the record already is said again when it is.
    take_back(before);
    std::vector<const Approval*> old;
    std::vector<std::string> added;
    for (const Before& each : before) {
      if (each.record) old.push_back(&*each.record);
      if (!each.record) added.push_back(each.id);
    }
    if (const auto undone = store_->save(old, added); !undone) {
      log(LogLevel::kError, undone.error().message);
    }
    return Error{"the record cannot be written"};
  }
  for (size_t i = 0; i < before.size(); ++i) {
    const auto& was = before[i].record;
    if (was && was->state == records[i]->state) continue;
    count(*records[i]);
    tell(before[i].id);
    if (options_.listener) options_.listener(*records[i]);
  }
  for (const std::string& id : surplus) records_.forget(id);
  return store::Done{};
}

void Desk::take_back(const std::vector<Before>& before) {
  for (const Before& was : before) {
    if (was.record) records_.put(*was.record);
    if (!was.record) records_.forget(was.id);
  }
}

// What cannot be kept is found out again after a restart, by the same clock.
void Desk::expire() {
  std::vector<std::string> ended;
  records_.expire(wall_now(), ended);
  if (ended.empty()) return;
  std::vector<const Approval*> records;
  for (const std::string& id : ended) {
    if (is_waited_for(id)) records_.mark_told(id);
    records.push_back(records_.find(id));
  }
  if (const auto saved = store_->save(records, {}); !saved) {
    log(LogLevel::kError, saved.error().message);
  }
  for (size_t i = 0; i < ended.size(); ++i) {
    if (!write_line(*records[i], {})) log(LogLevel::kError, "the record cannot be written");
    count(*records[i]);
    tell(ended[i]);
    if (options_.listener) options_.listener(*records[i]);
  }
}

}  // namespace reeve::approvals
