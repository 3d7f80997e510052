// `reeve audit verify`: what is wrong with a record, the first bad line first, and what could not
// have been seen.
#include <fmt/format.h>

#include <chrono>

#include "policy/json.h"
#include "proxy/audit/verifier.h"
#include "proxy/commands/audit.h"

namespace reeve::commands {
namespace {

constexpr size_t kShown = 20;

constexpr Option kOptions[] = {
    {"-c", "reeve.yaml", "the configuration that says where the record is (./reeve.yaml without)"},
    {"--checkpoint", "FILE", "checkpoints that were kept elsewhere, one a line; a log will do",
     true},
    {"--checkpoints", "FILE", "the record's own, where they do not stand beside it"},
    {"--key", "HEX", "a public key that is trusted, as reeve says it at its first start", true},
    {"--unsealed", "", "a record without checkpoints: the chain alone"},
    {"--json", "", "one JSON object"},
};
constexpr Synopsis kSynopsis = {
    "audit verify", "[--checkpoint FILE]… [--key HEX]… [-c reeve.yaml | FILE…]",
    "Checks the record's chain over all its files, and its checkpoints, offline. FILE is the "
    "current file, which\nbrings those rotated away from it, or all of them in order. Exits with 0 "
    "when it is sound, else 1.",
    kOptions, true};

bool read_anchors(const std::vector<std::string>& files, std::vector<audit::Anchor>& anchors) {
  for (const std::string& file : files) {
    audit::LineReader reader;
    if (!reader.open(file)) {
      usage_error("audit verify", fmt::format("`{}` cannot be read", file));
      return false;
    }
    const size_t before = anchors.size();
    for (std::string_view text; reader.next(text);) {
      if (auto checkpoint = audit::read_checkpoint_in(text)) {
        anchors.push_back({std::move(*checkpoint), fmt::format("{}:{}", file, reader.number())});
      }
    }
    if (anchors.size() > before) continue;
    usage_error("audit verify", fmt::format("`{}` holds no checkpoint", file));
    return false;
  }
  return true;
}

void print_json(const audit::VerifyReport& report) {
  std::string out = fmt::format(
      "{{\"sound\":{},\"lines\":{},\"bytes\":{},\"first_seq\":{},\"last_seq\":{},"
      "\"checkpoints\":{},\"sealed_seq\":{},\"epoch\":{},\"first_key\":",
      report.sound(), report.lines, report.bytes, report.first_seq, report.last_seq,
      report.checkpoints, report.sealed_seq, report.epoch);
  json::append_string(out, report.first_key);
  out += fmt::format(",\"faults\":{},\"findings\":[", report.findings.count());
  for (const audit::Finding& finding : report.findings.all()) {
    if (out.back() != '[') out += ",\n ";
    out += "{\"fault\":";
    json::append_string(out, to_string(finding.fault));
    out += ",\"where\":";
    json::append_string(out, finding.where);
    out += fmt::format(",\"seq\":{},\"what\":", finding.seq);
    json::append_string(out, finding.what);
    out += '}';
  }
  out += "],\"notes\":[";
  for (const std::string& note : report.notes) {
    if (out.back() != '[') out += ",\n ";
    json::append_string(out, note);
  }
  fmt::print("{}]}}\n", out);
}

void print_text(const audit::VerifyReport& report, size_t files, double seconds) {
  size_t shown = 0;
  for (const audit::Finding& finding : report.findings.all()) {
    if (++shown > kShown) break;
    fmt::print("{}: {}: {}{}\n", for_terminal(finding.where, 500), to_string(finding.fault),
               finding.seq > 0 ? fmt::format("seq {}: ", finding.seq) : "", finding.what);
  }
  if (report.findings.count() > kShown) {
    fmt::print("and {} more\n", report.findings.count() - kShown);
  }
  for (const std::string& note : report.notes) fmt::print("note: {}\n", for_terminal(note, 500));
  fmt::print(
      "{}: {} lines (seq {} to {}) in {} {}, {} checkpoints, sealed up to seq {}; {:.1f} MB "
      "in {:.2f} s\n",
      report.sound() ? "sound" : "BROKEN", report.lines, report.first_seq, report.last_seq, files,
      files == 1 ? "file" : "files", report.checkpoints, report.sealed_seq,
      static_cast<double>(report.bytes) / 1e6, seconds);
}

}  // namespace

int audit_verify(std::vector<std::string> args) {
  int exit_code = 0;
  const auto arguments = Arguments::parse(kSynopsis, args, exit_code);
  if (!arguments) return exit_code;
  audit::VerifyOptions options;
  options.keys = arguments->values("--key");
  for (const std::string& key : options.keys) {
    if (key.size() != 64 || !audit::is_hex(key)) {
      return usage_error("audit verify",
                         fmt::format("`{}` is no key of 64 hexadecimal digits", key));
    }
  }
  if (!read_anchors(arguments->values("--checkpoint"), options.anchors)) return 2;
  auto source = find_record("audit verify", *arguments);
  if (!source) return 2;
  const size_t files = source->files.size();
  options.files = std::move(source->files);
  if (!arguments->has("--unsealed")) {
    options.checkpoints = arguments->find("--checkpoints").value_or(source->checkpoints);
  }
  const auto begin = std::chrono::steady_clock::now();
  const audit::VerifyReport report = audit::Verifier(std::move(options)).run();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  if (arguments->has("--json")) {
    print_json(report);
  } else {
    print_text(report, files, took.count());
  }
  return report.sound() ? 0 : 1;
}

}  // namespace reeve::commands
