// Rows that a scan has brought.
// Fact source: libkudu_client.pxd of kudu-python; exported members of libkudu_client.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "kudu/util/int128.h"
#include "kudu/util/slice.h"
#include "kudu/util/status.h"

namespace kudu {

class Schema;

namespace client {

class KuduSchema;

class KuduScanBatch {
 public:
  // Travels in two registers, so it must stay trivially copyable with exactly these two members.
  class RowPtr {
   public:
    RowPtr() : schema_(nullptr), cells_(nullptr) {}

    bool IsNull(int column) const;
    Status GetBool(int column, bool* value) const;
    Status GetInt8(int column, int8_t* value) const;
    Status GetInt16(int column, int16_t* value) const;
    Status GetInt32(int column, int32_t* value) const;
    Status GetInt64(int column, int64_t* value) const;
    Status GetUnixTimeMicros(int column, int64_t* microseconds) const;
    Status GetDate(int column, int32_t* days) const;
    Status GetFloat(int column, float* value) const;
    Status GetDouble(int column, double* value) const;
    Status GetUnscaledDecimal(int column, int128_t* value) const;
    Status GetString(int column, Slice* value) const;
    Status GetBinary(int column, Slice* value) const;
    Status GetVarchar(int column, Slice* value) const;
    const void* cell(int column) const;
    std::string ToString() const;

   private:
    const Schema* schema_;
    const uint8_t* cells_;
  };

  KuduScanBatch();
  ~KuduScanBatch();
  KuduScanBatch(const KuduScanBatch&) = delete;
  KuduScanBatch& operator=(const KuduScanBatch&) = delete;

  int NumRows() const;
  RowPtr Row(int index) const;
  const KuduSchema* projection_schema() const;

 private:
  class Data;
  Data* data_;
};

static_assert(std::is_trivially_copyable<KuduScanBatch::RowPtr>::value, "a row pointer travels in two registers");

}  // namespace client
}  // namespace kudu
