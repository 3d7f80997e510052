// Charts as SVG in a page, drawn here so that a page needs no script: stacked bars and lines over
// time, and small ones for cells of tables. Colours are classes of the page's style (style.h).
#ifndef REEVE_PROXY_REPORT_CHARTS_H_
#define REEVE_PROXY_REPORT_CHARTS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace reeve::report {

// One layer of bars, or one line. Its `name` and those of a chart are plain text.
struct Series {
  std::string name;
  std::string_view color;  // a class: "good", "bad", "one", "two", …
  std::vector<double> values;
};

struct Chart {
  std::string id;  // of the page's own making
  std::string title;
  std::string description;          // what it shows, for those who do not see it
  std::vector<std::string> labels;  // of the parts, as many as each series has values
  std::vector<Series> series;
  std::function<std::string(double)> format;  // of values
};

// A <figure> with its legend.
std::string bars_of(const Chart& chart);
std::string lines_of(const Chart& chart);

// A bar of `part` of its width, 1 being full; beyond `warn` in another colour. Says nothing: the
// figure stands beside it.
std::string meter_of(double part, double warn = 0.8);
// A line without axes.
std::string spark_of(const std::vector<uint32_t>& values, std::string_view label);

}  // namespace reeve::report

#endif  // REEVE_PROXY_REPORT_CHARTS_H_
