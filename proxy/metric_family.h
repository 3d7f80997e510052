// prometheus-cpp's families, filled in by hand.
#ifndef REEVE_PROXY_METRIC_FAMILY_H_
#define REEVE_PROXY_METRIC_FAMILY_H_

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>

#include <string>
#include <string_view>
#include <vector>

#include "proxy/metrics.h"

namespace reeve::metric {

inline prometheus::MetricFamily family(const char* name, const char* help,
                                       prometheus::MetricType type) {
  prometheus::MetricFamily f;
  f.name = name;
  f.help = help;
  f.type = type;
  return f;
}

inline prometheus::ClientMetric& add(prometheus::MetricFamily& f,
                                     std::vector<prometheus::ClientMetric::Label> labels) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  f.metric.push_back(std::move(metric));
  return f.metric.back();
}

inline prometheus::ClientMetric::Label label(const char* name, std::string_view value) {
  return {name, std::string(value)};
}

// What is read off the sidecar's state when somebody looks.
std::vector<prometheus::MetricFamily> gauge_families(const Gauges& gauges);

}  // namespace reeve::metric

#endif  // REEVE_PROXY_METRIC_FAMILY_H_
