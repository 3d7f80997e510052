// What an attacker may do to a record, done to each of its lines, and what the verifier says: the
// table of proxy/audit/README.md, row by row.
#include <algorithm>
#include <initializer_list>
#include <set>

#include "audit_record.h"
#include "proxy/audit/verifier.h"

namespace reeve::audit {
namespace {

constexpr size_t kLines = 50, kPerFile = 16, kPerSeal = 5;

std::string told(const VerifyReport& report) {
  std::string text;
  for (const Finding& finding : report.findings.all()) {
    text += std::string(to_string(finding.fault)) + " at " + finding.where + " seq " +
            std::to_string(finding.seq) + ": " + finding.what + "\n";
  }
  return text;
}

// The first finding is one of these, and about a line near `index`.
void expect(const VerifyReport& report, std::initializer_list<Fault> faults, size_t index,
            size_t reach = 1) {
  INFO("line " << index << "\n" << told(report));
  REQUIRE_FALSE(report.sound());
  const Finding& first = report.findings.all().front();
  CHECK(std::set<Fault>(faults).count(first.fault) == 1);
  CHECK(first.seq + reach >= index + 1);
  CHECK(first.seq <= index + 1 + reach);
}

struct Bench {
  TempFolder made, other_made, changed;
  Record sound = make_record(made, kLines, kPerFile, kPerSeal);
  Record other = make_record(other_made, kLines, kPerFile, kPerSeal, "b");
};

void mutate_each(Bench& bench, size_t i) {
  Record& sound = bench.sound;
  const bool last = i + 1 == kLines;
  const auto check = [&](const Record& record, std::initializer_list<Fault> faults,
                         size_t reach = 1) {
    expect(verify(bench.changed, record), faults, i, reach);
  };
  const auto line = *read_line(sound.at(i));
  const std::string members(line.members);

  Record edited = sound;
  edited.at(i).replace(edited.at(i).find("jordan"), 6, "casey!");
  check(edited, {Fault::kEdited}, 0);

  Record replaced = sound;
  replaced.at(i) = rebuilt(sound.at(i), i + 1, line.prev, members + ",\"x\":1");
  // The last line has no follower that says so, but a checkpoint.
  check(replaced,
        {last || (i + 1) % kPerSeal == 0 ? Fault::kRechained : Fault::kEdited, Fault::kEdited});

  Record hidden = sound;
  hidden.at(i) = "{}";
  check(hidden, {last ? Fault::kTruncated : Fault::kEdited, Fault::kInserted}, kLines);

  Record deleted = sound;
  deleted.erase(i);
  check(deleted, {last ? Fault::kTruncated : Fault::kDeleted, Fault::kMissingFile});

  if (!last) {
    Record swapped = sound;
    std::swap(swapped.at(i), swapped.at(i + 1));
    check(swapped, {Fault::kReordered}, 2);
  }
  const size_t away = (i + 17) % kLines;
  Record moved = sound;
  const std::string text = moved.at(i);
  moved.erase(i);
  moved.insert(std::min(away, kLines - 2), text);
  if (moved.at(i) != text) {
    INFO("moved " << i << " to " << away);
    const VerifyReport report = verify(bench.changed, moved);
    INFO(told(report));
    REQUIRE_FALSE(report.sound());
    CHECK((report.findings.all().front().fault == Fault::kReordered ||
           report.findings.all().front().fault == Fault::kMissingFile));
  }

  Record twice = sound;
  twice.insert(i, sound.at(i));
  check(twice, {Fault::kDuplicated}, 0);
  Record twice_away = sound;
  twice_away.insert(away, sound.at(i));
  check(twice_away, {Fault::kDuplicated, Fault::kInserted, Fault::kReordered}, 0);

  Record inserted = sound;
  inserted.insert(i, rebuilt(sound.at(i), i + 1, line.prev, ",\"agent\":\"casey\""));
  check(inserted, {Fault::kInserted, Fault::kRechained}, 1);
  Record garbage = sound;
  garbage.insert(i, "not a line");
  CHECK_FALSE(verify(bench.changed, garbage).sound());
}

void rewrite_each(Bench& bench, size_t i) {
  Record& sound = bench.sound;
  Record cut = sound;
  cut.cut(i + 1);
  const VerifyReport truncated = verify(bench.changed, cut);
  INFO("line " << i << "\n" << told(truncated));
  CHECK(truncated.sound() == (i + 1 == kLines));
  if (!truncated.sound()) {
    CHECK(truncated.findings.all().back().fault == Fault::kTruncated);
  }

  Record rechained = sound;
  rechained.at(i) = rebuilt(sound.at(i), i + 1, read_line(sound.at(i))->prev, ",\"agent\":\"eve\"");
  rechained.rechain(i);
  expect(verify(bench.changed, rechained), {Fault::kRechained}, i, kPerSeal);

  if (i > 0) {
    Record spliced = sound;
    for (size_t k = i; k < kLines; ++k) spliced.at(k) = bench.other.at(k);
    expect(verify(bench.changed, spliced), {Fault::kSpliced, Fault::kRechained}, i, kPerSeal);
  }

  // All put back to an older copy: only a checkpoint that was kept elsewhere tells.
  Record older = sound;
  older.cut(i + 1);
  std::erase_if(older.checkpoints,
                [&](const std::string& text) { return read_checkpoint(text)->seq > i + 1; });
  if (older.checkpoints.empty()) return;
  CHECK(verify(bench.changed, older).sound());
  if (i + 1 < kLines) {
    const VerifyReport report = verify(bench.changed, older, {sound.checkpoints.back()});
    INFO(told(report));
    REQUIRE(report.findings.count() == 1);
    CHECK(report.findings.all()[0].fault == Fault::kRolledBack);
  }
}

TEST_CASE("a record that nobody touched is sound, with its key, without, and with an anchor") {
  Bench bench;
  CHECK(bench.sound.files.size() > 2);
  for (const bool with_key : {true, false}) {
    const VerifyReport report = verify(bench.changed, bench.sound,
                                       {"info checkpoint " + bench.sound.checkpoints[3]}, with_key);
    INFO(told(report));
    CHECK(report.sound());
    CHECK(report.lines == kLines);
    CHECK(report.sealed_seq == kLines);
    CHECK(report.epoch > 1);
  }
}

TEST_CASE("every way of G27, done to each line of a record, is found and named") {
  for (int round = 0; round < (long_run() ? 200 : 20); ++round) {
    Bench bench;
    for (size_t i = 0; i < kLines; ++i) {
      mutate_each(bench, i);
      rewrite_each(bench, i);
    }
  }
}

TEST_CASE("each file that is missing is named") {
  Bench bench;
  for (size_t f = 0; f < bench.sound.files.size(); ++f) {
    Record record = bench.sound;
    record.files.erase(record.files.begin() + static_cast<long>(f));
    record.names.erase(record.names.begin() + static_cast<long>(f));
    const VerifyReport report = verify(bench.changed, record);
    INFO(told(report));
    REQUIRE(report.findings.count() == 1);
    CHECK(report.findings.all()[0].fault ==
          (f + 1 == bench.sound.files.size() ? Fault::kTruncated : Fault::kMissingFile));
  }
}

TEST_CASE("checkpoints that were changed, dropped or made without the key are named") {
  Bench bench;
  const size_t count = bench.sound.checkpoints.size();
  for (size_t i = 0; i < count; ++i) {
    Record edited = bench.sound;
    std::string& text = edited.checkpoints[i];
    text.replace(text.find(":0") != std::string::npos ? text.find("26-") : text.find("26-"), 2,
                 "27");
    CHECK_FALSE(verify(bench.changed, edited).sound());
    if (i + 1 < count) {
      Record dropped = bench.sound;
      dropped.checkpoints.erase(dropped.checkpoints.begin() + static_cast<long>(i));
      CHECK_FALSE(verify(bench.changed, dropped).sound());
    }
  }
  Record none = bench.sound;
  none.checkpoints = bench.other.checkpoints;
  CHECK_FALSE(verify(bench.changed, none).sound());
  VerifyOptions missing;
  missing.files = {bench.made.file(bench.sound.names[0])};
  missing.checkpoints = bench.made.file("nowhere");
  CHECK(Verifier(missing).run().findings.all()[0].fault == Fault::kBadCheckpoint);
}

// What the thief of today's key file makes of a record: changed at one line, its chain and the
// checkpoints from `first` on made anew, as long as it was.
enum class Way { kEdit, kDelete, kInsert, kReorder };
Record forged(const Record& sound, size_t first, const SealingKey& key, Way way) {
  Record record = sound;
  const uint64_t from = first == 0 ? 0 : read_checkpoint(sound.checkpoints[first - 1])->seq;
  const std::string text = record.at(from);
  switch (way) {
    case Way::kEdit:
      record.at(from) = rebuilt(text, from + 1, read_line(text)->prev, ",\"agent\":\"eve\"");
      break;
    case Way::kDelete:
      record.files.back().push_back(text);
      record.erase(from);
      break;
    case Way::kInsert:
      record.insert(from, text);
      record.cut(kLines);
      break;
    case Way::kReorder:
      std::swap(record.at(from), record.at(from + 1));
      break;
  }
  record.rechain(from);
  std::string prev = read_checkpoint(sound.checkpoints[first])->prev;
  Hasher hasher;
  for (size_t i = first; i < record.checkpoints.size(); ++i) {
    Checkpoint again = *read_checkpoint(sound.checkpoints[i]);
    again.head = read_line(record.at(again.seq - 1))->hash;
    again.prev = prev;
    record.checkpoints[i] = write_checkpoint(again, key);
    prev = hasher.hex(record.checkpoints[i]);
  }
  return record;
}

TEST_CASE("a stolen key cannot sign for epochs that are over; today's needs an anchor") {
  TempFolder folder, changed;
  const Record sound = make_record(folder, kLines, kPerFile, kPerSeal);
  auto loaded = SealingKey::load(folder.file("audit.key"));
  REQUIRE((loaded.ok() && *loaded));
  const SealingKey& key = **loaded;
  bool any_unseen = false;
  for (size_t first = 0; first < sound.checkpoints.size(); ++first) {
    const Checkpoint c = *read_checkpoint(sound.checkpoints[first]);
    for (const Way way : {Way::kEdit, Way::kDelete, Way::kInsert, Way::kReorder}) {
      const Record record = forged(sound, first, key, way);
      const VerifyReport report = verify(changed, record);
      INFO("epoch " << c.epoch << " of " << key.epoch() << "\n" << told(report));
      CHECK(report.sound() == (c.epoch == key.epoch()));
      any_unseen = any_unseen || report.sound();
      CHECK_FALSE(verify(changed, record, {sound.checkpoints[first]}).sound());
    }
  }
  CHECK(any_unseen);
}

// The holder of the key shows each reader a record of its own.
TEST_CASE("two records for two readers are sound each, and tell when the readers compare") {
  TempFolder folder, changed;
  const Record one = make_record(folder, kLines, kPerFile, kPerSeal);
  auto loaded = SealingKey::load(folder.file("audit.key"));
  REQUIRE((loaded.ok() && *loaded));
  const size_t last = one.checkpoints.size() - 1;
  REQUIRE(read_checkpoint(one.checkpoints[last])->epoch == (*loaded)->epoch());
  const Record other = forged(one, last, **loaded, Way::kEdit);
  CHECK(verify(changed, one, {one.checkpoints[last]}).sound());
  CHECK(verify(changed, other, {other.checkpoints[last]}).sound());
  for (const auto& [shown, kept] : {std::pair(&one, &other), std::pair(&other, &one)}) {
    const VerifyReport report = verify(changed, *shown, {kept->checkpoints[last]});
    INFO(told(report));
    REQUIRE(report.findings.count() >= 1);
    CHECK(report.findings.all()[0].fault == Fault::kRechained);
  }
}

TEST_CASE(
    "what is not seen is said: lines not sealed yet, and all replaced with a key of its own") {
  Bench bench;
  Record tail = bench.sound;
  tail.checkpoints.pop_back();
  tail.at(kLines - 1) = rebuilt(tail.at(kLines - 1), kLines, read_line(tail.at(kLines - 1))->prev,
                                ",\"agent\":\"eve\"");
  const VerifyReport report = verify(bench.changed, tail);
  CHECK(report.sound());
  const auto says = [&](const VerifyReport& by, const std::string& text) {
    return std::any_of(by.notes.begin(), by.notes.end(), [&](const std::string& note) {
      return note.find(text) != std::string::npos;
    });
  };
  CHECK(says(report, "not sealed yet: lines 46 to 50"));
  CHECK(says(report, "by someone who has the current key"));

  Record other = bench.other;
  const VerifyReport replaced = verify(bench.changed, other, {}, false);
  CHECK(replaced.sound());
  CHECK(says(replaced, "not seen without --key"));
  CHECK(says(replaced, "not seen without --checkpoint"));
  other.first_key = bench.sound.first_key;
  CHECK_FALSE(verify(bench.changed, other).sound());
  CHECK_FALSE(verify(bench.changed, other, {bench.sound.checkpoints[0]}, false).sound());
}

TEST_CASE("what was deleted for its age is no fault, when a checkpoint says so before") {
  TempFolder folder, changed;
  Record record = make_record(folder, kLines, kPerFile, kPerSeal);
  const Line end = *read_line(record.files[0].back());
  auto sealing = Sealing::open({.key_file = folder.file("audit.key"),
                                .checkpoints_file = folder.file("audit.jsonl.checkpoints"),
                                .epoch = std::chrono::seconds(3)},
                               at_second(100));
  REQUIRE(sealing.ok());
  const JournalHead pruned{end.seq, std::string(end.hash)};
  REQUIRE((*sealing)->seal(*(*sealing)->sealed(), at_second(101), pruned).ok());
  const std::vector<std::string> told_of = lines_of(folder.file("audit.jsonl.checkpoints"));
  record.files.erase(record.files.begin());
  record.names.erase(record.names.begin());
  CHECK_FALSE(verify(changed, record).sound());
  record.checkpoints = told_of;
  const VerifyReport report = verify(changed, record);
  INFO(told(report));
  CHECK(report.sound());
  CHECK(report.first_seq == end.seq + 1);
}

}  // namespace
}  // namespace reeve::audit
