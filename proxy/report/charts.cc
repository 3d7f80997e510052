// Tested by tests/proxy/report_page_test.cc and, in a browser, tests/e2e/report_page_test.mjs.
#include "proxy/report/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "proxy/report/format.h"

namespace reeve::report {
namespace {

constexpr double kWidth = 760, kHeight = 220;
constexpr double kLeft = 64, kRight = 8, kTop = 10, kBottom = 26;
constexpr double kPlotWidth = kWidth - kLeft - kRight, kPlotHeight = kHeight - kTop - kBottom;
constexpr size_t kLabels = 6;   // of the parts, about
constexpr size_t kSparks = 30;  // points of a small line, at most

// 1, 2 or 5 times a power of ten, so that up to five of them reach `most`.
double step_of(double most) {
  if (most <= 0) return 1;
  const double power = std::pow(10, std::floor(std::log10(most / 4)));
  for (const double times : {1.0, 2.0, 5.0}) {
    if (most <= times * power * 5) return times * power;
  }
  return 10 * power;
}

struct Scale {
  explicit Scale(double most) : step(step_of(most)) {
    top = std::max(step, std::ceil(most / step - 1e-9) * step);
  }
  double y(double value) const { return kTop + kPlotHeight * (1 - value / top); }
  double step, top = 1;
};

std::string open_figure(const Chart& chart) {
  return fmt::format(
      "<figure>\n<figcaption>{}</figcaption>\n<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" "
      "aria-labelledby=\"{}-t {}-d\"><title id=\"{}-t\">{}</title><desc id=\"{}-d\">{}</desc>\n",
      html(chart.title), kWidth, kHeight, chart.id, chart.id, chart.id, html(chart.title), chart.id,
      html(chart.description, 1000));
}

std::string close_figure(const Chart& chart) {
  std::string out = "</svg>\n<ul class=\"legend\">";
  for (const Series& series : chart.series) {
    out += fmt::format(
        "<li><svg viewBox=\"0 0 12 12\" aria-hidden=\"true\"><rect class=\"{}\" "
        "width=\"12\" height=\"12\"/></svg>{}</li>",
        series.color, html(series.name));
  }
  return out + "</ul>\n</figure>\n";
}

std::string axes_of(const Chart& chart, const Scale& scale) {
  std::string out = "<g class=\"axis\">";
  for (double value = 0; value <= scale.top + scale.step / 2; value += scale.step) {
    const double y = scale.y(value);
    out += fmt::format(
        "<path d=\"M{:.0f} {:.1f}h{:.0f}\"/><text x=\"{:.0f}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{}</text>",
        kLeft, y, kPlotWidth, kLeft - 6, y + 4, html(chart.format(value)));
  }
  const size_t count = chart.labels.size();
  const size_t every = std::max<size_t>(1, (count + kLabels - 1) / kLabels);
  for (size_t i = 0; i < count; i += every) {
    const double x =
        kLeft + kPlotWidth * (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.0f}\" text-anchor=\"middle\">{}</text>", x,
                       kHeight - 8, html(chart.labels[i]));
  }
  return out + "</g>\n";
}

// What a pointer that rests on a part is told.
std::string told(const Chart& chart, size_t part) {
  std::string out = html(chart.labels[part]);
  for (const Series& series : chart.series) {
    out += fmt::format("\n{}: {}", html(series.name), html(chart.format(series.values[part])));
  }
  return out;
}

}  // namespace

std::string bars_of(const Chart& chart) {
  const size_t count = chart.labels.size();
  double most = 0;
  for (size_t i = 0; i < count; ++i) {
    double sum = 0;
    for (const Series& series : chart.series) sum += series.values[i];
    most = std::max(most, sum);
  }
  const Scale scale(most);
  std::string out = open_figure(chart) + axes_of(chart, scale);
  const double slot = kPlotWidth / static_cast<double>(std::max<size_t>(1, count));
  const double width = std::max(1.0, std::min(slot * 0.8, 48.0));
  for (size_t i = 0; i < count; ++i) {
    const double x = kLeft + slot * static_cast<double>(i) + (slot - width) / 2;
    double sum = 0;
    std::string layers;
    for (const Series& series : chart.series) {
      const double value = series.values[i];
      if (value <= 0) continue;
      const double y = scale.y(sum + value);
      layers += fmt::format(
          "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
          "height=\"{:.1f}\"/>",
          series.color, x, y, width, scale.y(sum) - y);
      sum += value;
    }
    if (!layers.empty()) out += fmt::format("<g><title>{}</title>{}</g>\n", told(chart, i), layers);
  }
  return out + close_figure(chart);
}

std::string lines_of(const Chart& chart) {
  const size_t count = chart.labels.size();
  double most = 0;
  for (const Series& series : chart.series) {
    for (const double value : series.values) most = std::max(most, value);
  }
  const Scale scale(most);
  std::string out = open_figure(chart) + axes_of(chart, scale);
  const double slot = kPlotWidth / static_cast<double>(std::max<size_t>(1, count));
  for (const Series& series : chart.series) {
    // A part without a value breaks the line; one between two breaks is a point.
    std::string path;
    bool drawing = false;
    for (size_t i = 0; i < count; ++i) {
      const bool there = series.values[i] > 0;
      if (there) {
        path +=
            fmt::format("{}{:.1f} {:.1f}", drawing ? "L" : "M",
                        kLeft + slot * (static_cast<double>(i) + 0.5), scale.y(series.values[i]));
        if (!drawing) path += "h.1";
      }
      drawing = there;
    }
    if (!path.empty())
      out += fmt::format("<path class=\"line {}\" d=\"{}\"/>\n", series.color, path);
  }
  for (size_t i = 0; i < count; ++i) {
    out += fmt::format(
        "<rect class=\"hover\" x=\"{:.1f}\" y=\"{:.0f}\" width=\"{:.1f}\" "
        "height=\"{:.0f}\"><title>{}</title></rect>",
        kLeft + slot * static_cast<double>(i), kTop, slot, kPlotHeight, told(chart, i));
  }
  return out + "\n" + close_figure(chart);
}

std::string meter_of(double part, double warn) {
  const double shown = std::clamp(part, 0.0, 1.0);
  const std::string_view color = part >= 1 ? "bad" : part >= warn ? "warn" : "one";
  return fmt::format(
      "<svg class=\"meter\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" "
      "aria-hidden=\"true\"><rect class=\"rest\" width=\"100\" height=\"10\"/>"
      "<rect class=\"{}\" width=\"{:.1f}\" height=\"10\"/></svg>",
      color, shown * 100);
}

std::string spark_of(const std::vector<uint32_t>& values, std::string_view label) {
  const size_t per = std::max<size_t>(1, (values.size() + kSparks - 1) / kSparks);
  std::vector<double> sums;
  for (size_t i = 0; i < values.size(); i += per) {
    double sum = 0;
    for (size_t k = i; k < std::min(i + per, values.size()); ++k) sum += values[k];
    // The last may be of fewer.
    sums.push_back(sum / static_cast<double>(std::min(per, values.size() - i)));
  }
  const double most = sums.empty() ? 0 : *std::max_element(sums.begin(), sums.end());
  if (most <= 0) return "";
  std::string path;
  for (size_t i = 0; i < sums.size(); ++i) {
    const double x =
        sums.size() < 2 ? 0 : 60.0 * static_cast<double>(i) / static_cast<double>(sums.size() - 1);
    path += fmt::format("{}{:.0f} {:.0f}", i == 0 ? "M" : "L", x, 17 - 16 * sums[i] / most);
  }
  if (sums.size() == 1) path += "h60";
  return fmt::format(
      "<svg class=\"spark\" viewBox=\"0 0 60 18\" role=\"img\" aria-label=\"{}\">"
      "<path d=\"{}\"/></svg>",
      html(label), path);
}

}  // namespace reeve::report
