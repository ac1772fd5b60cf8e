// Write operations: made by a table, filled by the caller, applied to a session, which then owns them.
// Fact source: libkudu_client.pxd of kudu-python; exported destructors and virtual tables of libkudu_client; the size of
// 72 bytes and the place of the row (24) from the disassembly of the constructor.
#pragma once

#include <cstdint>
#include <string>

#include "kudu/client/shared_ptr.h"
#include "kudu/common/partial_row.h"

namespace kudu {
namespace client {

class KuduTable;

class KuduWriteOperation {
 public:
  enum Type {
    INSERT = 1,
    UPDATE = 2,
    DELETE = 3,
    UPSERT = 4,
    INSERT_IGNORE = 5,
    UPDATE_IGNORE = 6,
    DELETE_IGNORE = 7,
    UPSERT_IGNORE = 8,
  };

  virtual ~KuduWriteOperation();
  KuduWriteOperation(const KuduWriteOperation&) = delete;
  KuduWriteOperation& operator=(const KuduWriteOperation&) = delete;

  virtual std::string ToString() const = 0;
  virtual Type type() const = 0;

  const KuduPartialRow& row() const { return row_; }
  KuduPartialRow* mutable_row() { return &row_; }

 private:
  sp::shared_ptr<KuduTable> table_;
  KuduPartialRow row_;
  int64_t size_in_buffer_;
};

static_assert(sizeof(KuduWriteOperation) == 72, "the library allocates and frees operations of this size");

// The kinds add no members. Their destructors are the library's, so that delete finds its virtual tables.
class KuduInsert : public KuduWriteOperation {
 public:
  ~KuduInsert() override;
};

class KuduInsertIgnore : public KuduWriteOperation {
 public:
  ~KuduInsertIgnore() override;
};

class KuduUpsert : public KuduWriteOperation {
 public:
  ~KuduUpsert() override;
};

class KuduUpsertIgnore : public KuduWriteOperation {
 public:
  ~KuduUpsertIgnore() override;
};

class KuduUpdate : public KuduWriteOperation {
 public:
  ~KuduUpdate() override;
};

class KuduUpdateIgnore : public KuduWriteOperation {
 public:
  ~KuduUpdateIgnore() override;
};

class KuduDelete : public KuduWriteOperation {
 public:
  ~KuduDelete() override;
};

class KuduDeleteIgnore : public KuduWriteOperation {
 public:
  ~KuduDeleteIgnore() override;
};

}  // namespace client
}  // namespace kudu
