// A value of a predicate or a default.
// Fact source: libkudu_client.pxd of kudu-python; exported members of libkudu_client.
#pragma once

#include <cstdint>

#include "kudu/util/int128.h"
#include "kudu/util/slice.h"

namespace kudu {
namespace client {

class KuduValue {
 public:
  ~KuduValue();
  KuduValue(const KuduValue&) = delete;
  KuduValue& operator=(const KuduValue&) = delete;

  static KuduValue* FromInt(int64_t value);
  static KuduValue* FromFloat(float value);
  static KuduValue* FromDouble(double value);
  static KuduValue* FromBool(bool value);
  static KuduValue* FromDecimal(int128_t unscaled, int8_t scale);
  static KuduValue* CopyString(Slice text);

 private:
  class Data;
  Data* data_;
};

}  // namespace client
}  // namespace kudu
