// Counters of a scan or a session.
// Fact source: libkudu_client.pxd of kudu-python; exported members of libkudu_client.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace kudu {
namespace client {

class ResourceMetrics {
 public:
  ResourceMetrics();
  ~ResourceMetrics();
  ResourceMetrics(const ResourceMetrics&) = delete;
  ResourceMetrics& operator=(const ResourceMetrics&) = delete;

  std::map<std::string, int64_t> Get() const;
  int64_t GetMetric(const std::string& name) const;

 private:
  class Data;
  Data* data_;
};

}  // namespace client
}  // namespace kudu
