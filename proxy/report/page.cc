// See page.h. A manager reads the summary and what needs attention, an owner the agents, an auditor
// the rest. Tested by tests/proxy/report_page_test.cc and tests/e2e/report_page_test.mjs.
#include "proxy/report/page.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/digest.h"
#include "proxy/mcp/header_value.h"
#include "proxy/report/charts.h"
#include "proxy/report/format.h"
#include "proxy/report/style.h"
#include "proxy/report/words.h"

namespace reeve::report {
namespace {

// Of the style, as a content policy names it.
std::string style_hash() {
  const policy::Sha256 hash = sha256(kStyle);
  return mcp::encode_base64({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

void append_head(std::string& out, const Collector& collected) {
  const std::string title = "Agents at work: " + title_of(collected);
  out += fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'sha256-{}'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n"
      "<meta name=\"generator\" content=\"reeve report\">\n<title>{}</title>\n<style>{}</style>\n"
      "</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the report</a>\n<header>\n"
      "<h1>{}</h1>\n<p class=\"soft\">{}</p>\n",
      style_hash(), html(title), kStyle, html(title), html(scope_of(collected), 2000));
  out += "<nav aria-label=\"Parts of this report\"><ul>";
  for (const auto& [id, name] : {std::pair{"summary", "Summary"},
                                 {"attention", "Needs attention"},
                                 {"activity", "Over time"},
                                 {"budgets", "Budgets"},
                                 {"people", "Approvals"},
                                 {"agents", "Agents"},
                                 {"teams", "Teams"},
                                 {"tools", "Tools and systems"},
                                 {"refusals", "Refusals"},
                                 {"grants", "Grants"},
                                 {"record", "The record"},
                                 {"terms", "How it is counted"}}) {
    out += fmt::format("<li><a href=\"#{}\">{}</a></li>", id, name);
  }
  out += "</ul></nav>\n</header>\n<main id=\"main\">\n";
}

void append_summary(std::string& out, const Collector& collected) {
  out +=
      "<section id=\"summary\" aria-labelledby=\"summary-h\">\n<h2 "
      "id=\"summary-h\">Summary</h2>\n";
  for (const std::string& sentence : sentences_of(collected))
    out += fmt::format("<p>{}</p>\n", html(sentence, 1000));
  out += "<dl class=\"tiles\">\n";
  for (const Figure& figure : figures_of(collected)) {
    out += fmt::format("<div><dt>{}</dt><dd>{}<small>{}</small></dd></div>\n", html(figure.name),
                       html(figure.value), html(figure.note));
  }
  out += "</dl>\n</section>\n";
}

void append_findings(std::string& out, const std::vector<Finding>& findings) {
  out +=
      "<section id=\"attention\" aria-labelledby=\"attention-h\">\n<h2 id=\"attention-h\">Needs "
      "attention</h2>\n";
  if (findings.empty()) {
    out += "<p>Nothing stands out.</p>\n</section>\n";
    return;
  }
  out += "<ul class=\"attention\">\n";
  for (const Finding& finding : findings) {
    out += fmt::format("<li{}><span class=\"tag\">{}</span> <strong>{}</strong><br>{}",
                       finding.urgent ? " class=\"urgent\"" : "",
                       finding.urgent ? "Act on it" : "Look at it", html(finding.headline, 400),
                       html(finding.detail, 800));
    if (!finding.command.empty()) {
      out += fmt::format("<code>{}</code>", html(finding.command, 1000));
    }
    out += "</li>\n";
  }
  out += "</ul>\n</section>\n";
}

std::vector<std::string> labels_of(const Tally& tally) {
  std::vector<std::string> labels;
  const bool hours = tally.parts.unit == "hour";
  for (const policy::Time begin : tally.parts.begins)
    labels.push_back(label_of(tally.range, begin, hours));
  return labels;
}

void append_activity(std::string& out, const Collector& collected) {
  const Tally& tally = collected.tally();
  const std::string currency = currency_of(collected);
  const std::string unit(tally.parts.unit);
  const auto values = [&](auto of) {
    std::vector<double> all;
    for (const Part& part : tally.by_part) all.push_back(static_cast<double>(of(part)));
    return all;
  };
  const auto number = [](double value) { return count(static_cast<uint64_t>(value)); };
  Chart calls{"calls",
              "Calls per " + unit,
              fmt::format("Stacked bars of calls that succeeded, that failed and that were denied, "
                          "for each {}. The table below has the figures.",
                          unit),
              labels_of(tally),
              {},
              number};
  calls.series = {
      {"succeeded", "one", values([](const Part& part) { return part.counts.succeeded; })},
      {"failed", "warn",
       values([](const Part& part) { return part.counts.failed + part.counts.withheld; })},
      {"denied", "bad", values([](const Part& part) { return part.counts.denied; })}};
  Chart spend{
      "spend",
      "Spend per " + unit,
      fmt::format("Bars of what calls cost, for each {}. The table below has the figures.", unit),
      calls.labels,
      {},
      [&](double value) { return money(static_cast<policy::Micros>(value), currency); }};
  spend.series = {{"spent", "three", values([](const Part& part) { return part.counts.spent; })}};
  Chart latency{"latency",
                "How long calls took, per " + unit,
                fmt::format("Two lines: half of the calls took no longer than the lower one, 95 of "
                            "100 no longer than the upper one, for each {}. The table below has "
                            "the figures.",
                            unit),
                calls.labels,
                {},
                [](double value) { return value <= 0 ? "0" : span(static_cast<uint64_t>(value)); }};
  latency.series = {{"half of the calls (p50)", "one",
                     values([](const Part& part) { return part.latency.quantile(0.5); })},
                    {"95 of 100 (p95)", "two",
                     values([](const Part& part) { return part.latency.quantile(0.95); })}};

  out +=
      "<section id=\"activity\" aria-labelledby=\"activity-h\">\n<h2 id=\"activity-h\">Over "
      "time</h2>\n";
  out += bars_of(calls);
  if (tally.now.spent > 0) out += bars_of(spend);
  if (tally.latency.count() > 0) out += lines_of(latency);
  out +=
      "<details><summary>The figures of these charts</summary>\n<div class=\"scroll\" "
      "role=\"region\" aria-label=\"Figures over time\" tabindex=\"0\"><table>";
  out += fmt::format(
      "<caption>Per {}</caption><thead><tr><th scope=\"col\" class=\"text\">From"
      "</th><th scope=\"col\">Calls</th><th scope=\"col\">Succeeded</th><th "
      "scope=\"col\">Failed</th><th scope=\"col\">Denied</th><th "
      "scope=\"col\">Spent</th><th scope=\"col\">p50</th><th scope=\"col\">p95</th>"
      "</tr></thead><tbody>\n",
      unit);
  for (size_t i = 0; i < tally.by_part.size(); ++i) {
    const auto& [counts, took] = tally.by_part[i];
    out += fmt::format(
        "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
        "<td>{}</td><td>{}</td><td>{}</td></tr>\n",
        html(calls.labels[i]), count(counts.calls), count(counts.succeeded),
        count(counts.failed + counts.withheld), count(counts.denied), money(counts.spent, ""),
        took.count() > 0 ? span(took.quantile(0.5)) : "–",
        took.count() > 0 ? span(took.quantile(0.95)) : "–");
  }
  out += "</tbody></table></div></details>\n</section>\n";
}

void append_terms(std::string& out) {
  out +=
      "<section id=\"terms\" aria-labelledby=\"terms-h\">\n<h2 id=\"terms-h\">How it is "
      "counted</h2>\n<dl class=\"terms\">\n";
  for (const auto& [term, meaning] : kTerms)
    out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", term, meaning);
  out += "</dl>\n</section>\n";
}

}  // namespace

std::string page_of(const Collector& collected, const std::vector<Finding>& findings) {
  std::string out;
  append_head(out, collected);
  append_summary(out, collected);
  append_findings(out, findings);
  append_activity(out, collected);
  append_budgets(out, collected);
  append_people(out, collected);
  append_agents(out, collected);
  append_teams(out, collected);
  append_tools(out, collected);
  append_refusals(out, collected);
  append_grants(out, collected);
  append_record(out, collected);
  append_terms(out);
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace reeve::report
