// A condition of a scan.
// Fact source: libkudu_client.pxd of kudu-python; exported members of libkudu_client; the numbers of the comparisons
// from the switch in the constructor of ComparisonPredicateData.
#pragma once

namespace kudu {
namespace client {

class KuduPredicate {
 public:
  enum ComparisonOp { LESS_EQUAL = 0, GREATER_EQUAL = 1, EQUAL = 2, LESS = 3, GREATER = 4 };

  ~KuduPredicate();
  KuduPredicate(const KuduPredicate&) = delete;
  KuduPredicate& operator=(const KuduPredicate&) = delete;

  KuduPredicate* Clone() const;

 private:
  class Data;
  Data* data_;
};

}  // namespace client
}  // namespace kudu
