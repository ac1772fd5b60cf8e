// The shape of tables and columns.
// Fact source: libkudu_client.pxd of kudu-python; exported members of libkudu_client; every class is one pointer to
// what the library keeps for itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kudu/client/value.h"
#include "kudu/common/partial_row.h"
#include "kudu/util/status.h"

namespace kudu {
namespace client {

struct KuduColumnStorageAttributes {
  enum EncodingType {
    AUTO_ENCODING = 0,
    PLAIN_ENCODING = 1,
    PREFIX_ENCODING = 2,
    RLE = 4,
    DICT_ENCODING = 5,
    BIT_SHUFFLE = 6,
  };
  enum CompressionType { DEFAULT_COMPRESSION = 0, NO_COMPRESSION = 1, SNAPPY = 2, LZ4 = 3, ZLIB = 4 };

  EncodingType encoding = AUTO_ENCODING;
  CompressionType compression = DEFAULT_COMPRESSION;
  int32_t block_size = 0;
};

class KuduColumnTypeAttributes {
 public:
  KuduColumnTypeAttributes();
  KuduColumnTypeAttributes(const KuduColumnTypeAttributes& other);
  KuduColumnTypeAttributes(int8_t precision, int8_t scale);
  explicit KuduColumnTypeAttributes(uint16_t length);
  ~KuduColumnTypeAttributes();
  KuduColumnTypeAttributes& operator=(const KuduColumnTypeAttributes& other);

  int8_t precision() const;
  int8_t scale() const;
  uint16_t length() const;
  void CopyFrom(const KuduColumnTypeAttributes& other);

 private:
  class Data;
  Data* data_;
};

class KuduColumnSchema {
 public:
  enum DataType {
    INT8 = 0,
    INT16 = 1,
    INT32 = 2,
    INT64 = 3,
    STRING = 4,
    BOOL = 5,
    FLOAT = 6,
    DOUBLE = 7,
    BINARY = 8,
    UNIXTIME_MICROS = 9,
    DECIMAL = 10,
    VARCHAR = 11,
    DATE = 12,
  };

  KuduColumnSchema();
  KuduColumnSchema(const KuduColumnSchema& other);
  ~KuduColumnSchema();
  KuduColumnSchema& operator=(const KuduColumnSchema& other);

  const std::string& name() const;
  DataType type() const;
  bool is_nullable() const;
  bool is_immutable() const;
  KuduColumnTypeAttributes type_attributes() const;
  const std::string& comment() const;
  bool Equals(const KuduColumnSchema& other) const;
  void CopyFrom(const KuduColumnSchema& other);

 private:
  class Data;
  Data* data_;
};

class KuduColumnSpec {
 public:
  KuduColumnSpec* Default(KuduValue* value);
  KuduColumnSpec* RemoveDefault();
  KuduColumnSpec* Compression(KuduColumnStorageAttributes::CompressionType compression);
  KuduColumnSpec* Encoding(KuduColumnStorageAttributes::EncodingType encoding);
  KuduColumnSpec* BlockSize(int32_t bytes);
  KuduColumnSpec* PrimaryKey();
  KuduColumnSpec* NonUniquePrimaryKey();
  KuduColumnSpec* NotNull();
  KuduColumnSpec* Nullable();
  KuduColumnSpec* Immutable();
  KuduColumnSpec* Mutable();
  KuduColumnSpec* Type(KuduColumnSchema::DataType type);
  KuduColumnSpec* Precision(int8_t precision);
  KuduColumnSpec* Scale(int8_t scale);
  KuduColumnSpec* Length(uint16_t length);
  KuduColumnSpec* RenameTo(const std::string& name);
  KuduColumnSpec* Comment(const std::string& comment);

 private:
  // The builder or alterer that made it owns it.
  ~KuduColumnSpec();

  class Data;
  Data* data_;
};

class KuduSchema {
 public:
  KuduSchema();
  KuduSchema(const KuduSchema& other);
  ~KuduSchema();
  KuduSchema& operator=(const KuduSchema& other);

  static const char* GetAutoIncrementingColumnName();
  bool Equals(const KuduSchema& other) const;
  KuduColumnSchema Column(size_t index) const;
  size_t num_columns() const;
  void GetPrimaryKeyColumnIndexes(std::vector<int>* indexes) const;
  KuduPartialRow* NewRow() const;

 private:
  class Schema;
  Schema* schema_;
};

class KuduSchemaBuilder {
 public:
  KuduSchemaBuilder();
  ~KuduSchemaBuilder();
  KuduSchemaBuilder(const KuduSchemaBuilder&) = delete;
  KuduSchemaBuilder& operator=(const KuduSchemaBuilder&) = delete;

  KuduColumnSpec* AddColumn(const std::string& name);
  KuduSchemaBuilder* SetPrimaryKey(const std::vector<std::string>& columns);
  KuduSchemaBuilder* SetNonUniquePrimaryKey(const std::vector<std::string>& columns);
  Status Build(KuduSchema* schema);

 private:
  class Data;
  Data* data_;
};

}  // namespace client
}  // namespace kudu
