// The record, opened once, with what seals it and what its first line says of how it was found.
// Tested end to end by tests/e2e/audit_test.mjs.
#include <fmt/format.h>

#include "proxy/app.h"
#include "proxy/audit/files.h"
#include "proxy/log.h"

namespace reeve {

Result<App::Record> App::open_record(const Config& config, const store::StateFolder& folder) {
  Record record;
  const std::string& path = config.audit.path;
  auto sealing = audit::Sealing::open(
      {.key_file = folder.file("audit.key"), .checkpoints_file = audit::checkpoints_path(path)},
      wall_now());
  if (!sealing) return sealing.error();
  record.sealing = std::move(*sealing);
  JournalOptions options{.path = path,
                         .sync = config.audit.sync,
                         .rotate = config.audit.rotate,
                         .sealed = record.sealing->sealed()};
  if (!config.audit.sinks.empty()) {
    auto sinks = audit::Sinks::create(config.audit.sinks, folder.file("sinks"), options);
    if (!sinks) return sinks.error();
    record.sinks = std::move(*sinks);
  }
  auto journal = Journal::open(std::move(options));
  if (!journal) return journal.error();
  record.journal = std::move(*journal);
  if (record.sinks) {
    if (auto opened = record.sinks->open(*record.journal); !opened) return opened.error();
  }
  const std::string& key = record.sealing->public_key();
  record.start_members = fmt::format(",\"key\":\"{}\"", key);
  if (record.sealing->began_anew()) {
    log(LogLevel::kInfo, fmt::format("the record is sealed by a new key: {}; keep it elsewhere, "
                                     "`reeve audit verify --key` asks for it",
                                     key));
  }
  if (record.journal->found_torn_line()) record.start_members += ",\"torn\":true";
  if (const uint64_t from = record.journal->lost_from(); from > 0) {
    const uint64_t to = record.sealing->sealed()->seq;
    record.start_members += fmt::format(",\"lost\":{{\"from\":{},\"to\":{}}}", from, to);
    log(LogLevel::kError,
        fmt::format(
            "lines {} to {} of the record `{}` were sealed and are MISSING: a power cut, or "
            "someone cut them off; the record goes on behind them",
            from, to, path));
  }
  return record;
}

}  // namespace reeve
