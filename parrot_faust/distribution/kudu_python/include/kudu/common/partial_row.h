// A row of which some columns are set.
// Fact source: libkudu_client.pxd of kudu-python; exported members and virtual table of libkudu_common; its size of 40
// bytes from the disassembly of the copy constructor.
#pragma once

#include <cstdint>
#include <string>

#include "kudu/util/int128.h"
#include "kudu/util/slice.h"
#include "kudu/util/status.h"

namespace kudu {

class Schema;

class KuduPartialRow {
 public:
  KuduPartialRow(const KuduPartialRow& other);
  virtual ~KuduPartialRow();

  Status SetBool(int column, bool value);
  Status SetInt8(int column, int8_t value);
  Status SetInt16(int column, int16_t value);
  Status SetInt32(int column, int32_t value);
  Status SetInt64(int column, int64_t value);
  Status SetUnixTimeMicros(int column, int64_t microseconds);
  Status SetDate(int column, int32_t days);
  Status SetFloat(int column, float value);
  Status SetDouble(int column, double value);
  Status SetUnscaledDecimal(int column, int128_t value);
  Status SetString(int column, const Slice& value);
  Status SetStringCopy(int column, const Slice& value);
  Status SetBinary(int column, const Slice& value);
  Status SetBinaryCopy(int column, const Slice& value);
  Status SetVarchar(int column, const Slice& value);
  Status SetNull(int column);
  Status Unset(int column);

  bool IsColumnSet(int column) const;
  bool IsNull(int column) const;
  bool IsKeySet() const;
  bool AllColumnsSet() const;
  std::string ToString() const;

 private:
  const Schema* schema_;
  uint8_t* is_set_;
  uint8_t* owned_;
  uint8_t* values_;
};

static_assert(sizeof(KuduPartialRow) == 40, "write operations hold a row by value");

}  // namespace kudu
