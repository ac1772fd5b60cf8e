// Client, tables, sessions and scans.
// Fact source: libkudu_client.pxd of kudu-python; exported members of libkudu_client. KuduClient, KuduTable and
// KuduSession are only ever made by the library and never sized here; every other class is one pointer.
#pragma once

#include <Python.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kudu/client/resource_metrics.h"
#include "kudu/client/scan_batch.h"
#include "kudu/client/scan_predicate.h"
#include "kudu/client/schema.h"
#include "kudu/client/shared_ptr.h"
#include "kudu/client/value.h"
#include "kudu/client/write_op.h"
#include "kudu/util/monotime.h"
#include "kudu/util/status.h"

namespace kudu {
namespace client {

class KuduClient;
class KuduSession;
class KuduTableAlterer;
class KuduTableCreator;

// Other Python threads run while a call of the client waits for a server. kudu-python itself keeps the interpreter's
// lock, which stops a whole process for as long as a server does not answer; its calls come here with the lock held.
class OtherThreadsRun {
 public:
  OtherThreadsRun() : saved_(PyEval_SaveThread()) {}
  ~OtherThreadsRun() { PyEval_RestoreThread(saved_); }
  OtherThreadsRun(const OtherThreadsRun&) = delete;
  OtherThreadsRun& operator=(const OtherThreadsRun&) = delete;

 private:
  PyThreadState* saved_;
};

// A wrapper that carries the name of the library's function may never be emitted as a function of its own: it would
// stand in for the one it calls.
#define PARROT_ALWAYS_INLINE inline __attribute__((always_inline))

Status DisableOpenSSLInitialization();

class KuduTabletServer {
 public:
  ~KuduTabletServer();
  const std::string& uuid() const;
  const std::string& hostname() const;
  uint16_t port() const;

 private:
  KuduTabletServer();

  class Data;
  Data* data_;
};

class KuduReplica {
 public:
  ~KuduReplica();
  bool is_leader() const;
  const KuduTabletServer& ts() const;

 private:
  KuduReplica();

  class Data;
  Data* data_;
};

class KuduTablet {
 public:
  ~KuduTablet();
  const std::string& id() const;
  const std::vector<const KuduReplica*>& replicas() const;

 private:
  KuduTablet();

  class Data;
  Data* data_;
};

class KuduTable {
 public:
  ~KuduTable();

  const std::string& name() const;
  const std::string& id() const;
  const std::string& owner() const;
  const std::string& comment() const;
  const KuduSchema& schema() const;
  int num_replicas() const;
  KuduClient* client() const;

  KuduInsert* NewInsert();
  KuduInsertIgnore* NewInsertIgnore();
  KuduUpsert* NewUpsert();
  KuduUpsertIgnore* NewUpsertIgnore();
  KuduUpdate* NewUpdate();
  KuduUpdateIgnore* NewUpdateIgnore();
  KuduDelete* NewDelete();
  KuduDeleteIgnore* NewDeleteIgnore();

  KuduPredicate* NewComparisonPredicate(const Slice& column, KuduPredicate::ComparisonOp op, KuduValue* value);
  KuduPredicate* NewInListPredicate(const Slice& column, std::vector<KuduValue*>* values);
  KuduPredicate* NewIsNotNullPredicate(const Slice& column);
  KuduPredicate* NewIsNullPredicate(const Slice& column);

 private:
  KuduTable();
};

class KuduClient {
 public:
  enum ReplicaSelection { LEADER_ONLY, CLOSEST_REPLICA, FIRST_REPLICA };

  ~KuduClient();

  Status DeleteTable(const std::string& name);
  Status SoftDeleteTable(const std::string& name, uint32_t reserve_seconds = 0);
  Status RecallTable(const std::string& id, const std::string& new_name = "");
  PARROT_ALWAYS_INLINE Status OpenTable(const std::string& name, sp::shared_ptr<KuduTable>* table) {
    OtherThreadsRun others;
    return OpenTableHere(name, table);
  }
  Status GetTableSchema(const std::string& name, KuduSchema* schema);
  Status TableExists(const std::string& name, bool* exists);
  Status ListTables(std::vector<std::string>* names, const std::string& filter = "");
  Status ListSoftDeletedTables(std::vector<std::string>* names, const std::string& filter = "");
  Status ListTabletServers(std::vector<KuduTabletServer*>* servers);

  KuduTableCreator* NewTableCreator();
  KuduTableAlterer* NewTableAlterer(const std::string& name);
  Status IsCreateTableInProgress(const std::string& name, bool* in_progress);
  Status IsAlterTableInProgress(const std::string& name, bool* in_progress);
  bool IsMultiMaster() const;
  uint64_t GetLatestObservedTimestamp() const;
  sp::shared_ptr<KuduSession> NewSession();

 private:
  KuduClient();
  Status OpenTableHere(const std::string& name, sp::shared_ptr<KuduTable>* table) __asm__(
      "_ZN4kudu6client10KuduClient9OpenTableERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
      "PNSt3tr110shared_ptrINS0_9KuduTableEEE");
};

class KuduClientBuilder {
 public:
  enum EncryptionPolicy { OPTIONAL, REQUIRED_REMOTE, REQUIRED };

  KuduClientBuilder();
  ~KuduClientBuilder();
  KuduClientBuilder(const KuduClientBuilder&) = delete;
  KuduClientBuilder& operator=(const KuduClientBuilder&) = delete;

  KuduClientBuilder& master_server_addrs(const std::vector<std::string>& addresses);
  KuduClientBuilder& add_master_server_addr(const std::string& address);
  KuduClientBuilder& default_admin_operation_timeout(const MonoDelta& timeout);
  // kudu-python can't set how long a server may take over its part of a new connection, which is 3 s by default: whoever
  // bounds calls more tightly means this as well.
  PARROT_ALWAYS_INLINE KuduClientBuilder& default_rpc_timeout(const MonoDelta& timeout) {
    if (timeout.ToMilliseconds() < 3000) connection_negotiation_timeout(timeout);
    return RpcTimeoutHere(timeout);
  }
  KuduClientBuilder& connection_negotiation_timeout(const MonoDelta& timeout);
  KuduClientBuilder& sasl_protocol_name(const std::string& name);
  KuduClientBuilder& require_authentication(bool required);
  KuduClientBuilder& encryption_policy(EncryptionPolicy policy);
  KuduClientBuilder& jwt(const std::string& token);
  KuduClientBuilder& trusted_certificate(const std::string& pem);
  PARROT_ALWAYS_INLINE Status Build(sp::shared_ptr<KuduClient>* client) {
    OtherThreadsRun others;
    return BuildHere(client);
  }

 private:
  KuduClientBuilder& RpcTimeoutHere(const MonoDelta& timeout) __asm__(
      "_ZN4kudu6client17KuduClientBuilder19default_rpc_timeoutERKNS_9MonoDeltaE");
  Status BuildHere(sp::shared_ptr<KuduClient>* client) __asm__(
      "_ZN4kudu6client17KuduClientBuilder5BuildEPNSt3tr110shared_ptrINS0_10KuduClientEEE");

  class Data;
  Data* data_;
};

class KuduRangePartition;

class KuduTableCreator {
 public:
  enum RangePartitionBound { EXCLUSIVE_BOUND = 0, INCLUSIVE_BOUND = 1 };

  ~KuduTableCreator();
  KuduTableCreator(const KuduTableCreator&) = delete;
  KuduTableCreator& operator=(const KuduTableCreator&) = delete;

  KuduTableCreator& table_name(const std::string& name);
  KuduTableCreator& schema(const KuduSchema* schema);
  KuduTableCreator& add_hash_partitions(const std::vector<std::string>& columns, int buckets);
  KuduTableCreator& add_hash_partitions(const std::vector<std::string>& columns, int buckets, int seed);
  KuduTableCreator& set_range_partition_columns(const std::vector<std::string>& columns);
  KuduTableCreator& add_range_partition(KuduPartialRow* lower, KuduPartialRow* upper, RangePartitionBound lower_bound,
                                        RangePartitionBound upper_bound);
  KuduTableCreator& add_custom_range_partition(KuduRangePartition* partition);
  KuduTableCreator& add_range_partition_split(KuduPartialRow* row);
  KuduTableCreator& num_replicas(int replicas);
  KuduTableCreator& wait(bool until_done);
  KuduTableCreator& set_owner(const std::string& owner);
  KuduTableCreator& set_comment(const std::string& comment);
  PARROT_ALWAYS_INLINE Status Create() {
    OtherThreadsRun others;
    return CreateHere();
  }

 private:
  Status CreateHere() __asm__("_ZN4kudu6client16KuduTableCreator6CreateEv");

  class Data;
  Data* data_;
};

class KuduRangePartition {
 public:
  KuduRangePartition(KuduPartialRow* lower, KuduPartialRow* upper, KuduTableCreator::RangePartitionBound lower_bound,
                     KuduTableCreator::RangePartitionBound upper_bound);
  ~KuduRangePartition();
  KuduRangePartition(const KuduRangePartition&) = delete;
  KuduRangePartition& operator=(const KuduRangePartition&) = delete;

  Status add_hash_partitions(const std::vector<std::string>& columns, int buckets, int seed);

 private:
  class Data;
  Data* data_;
};

class KuduTableAlterer {
 public:
  ~KuduTableAlterer();
  KuduTableAlterer(const KuduTableAlterer&) = delete;
  KuduTableAlterer& operator=(const KuduTableAlterer&) = delete;

  KuduTableAlterer* RenameTo(const std::string& name);
  KuduColumnSpec* AddColumn(const std::string& name);
  KuduColumnSpec* AlterColumn(const std::string& name);
  KuduTableAlterer* DropColumn(const std::string& name);
  KuduTableAlterer* AddRangePartition(KuduPartialRow* lower, KuduPartialRow* upper,
                                      KuduTableCreator::RangePartitionBound lower_bound,
                                      KuduTableCreator::RangePartitionBound upper_bound);
  KuduTableAlterer* AddRangePartition(KuduRangePartition* partition);
  KuduTableAlterer* DropRangePartition(KuduPartialRow* lower, KuduPartialRow* upper,
                                       KuduTableCreator::RangePartitionBound lower_bound,
                                       KuduTableCreator::RangePartitionBound upper_bound);
  KuduTableAlterer* SetOwner(const std::string& owner);
  KuduTableAlterer* SetComment(const std::string& comment);
  KuduTableAlterer* wait(bool until_done);
  PARROT_ALWAYS_INLINE Status Alter() {
    OtherThreadsRun others;
    return AlterHere();
  }

 private:
  Status AlterHere() __asm__("_ZN4kudu6client16KuduTableAlterer5AlterEv");

  class Data;
  Data* data_;
};

class KuduError {
 public:
  ~KuduError();
  KuduError(const KuduError&) = delete;
  KuduError& operator=(const KuduError&) = delete;

  const Status& status() const;
  const KuduWriteOperation& failed_op() const;
  KuduWriteOperation* release_failed_op();
  bool was_possibly_successful() const;

 private:
  class Data;
  Data* data_;
};

class KuduSession {
 public:
  enum FlushMode { AUTO_FLUSH_SYNC = 0, AUTO_FLUSH_BACKGROUND = 1, MANUAL_FLUSH = 2 };

  ~KuduSession();

  Status SetFlushMode(FlushMode mode);
  Status SetMutationBufferSpace(size_t bytes);
  Status SetMutationBufferFlushWatermark(double share);
  Status SetMutationBufferFlushInterval(unsigned int milliseconds);
  Status SetMutationBufferMaxNum(unsigned int buffers);
  void SetTimeoutMillis(int milliseconds);

  // The library owns an operation from here on, also when it refuses it. kudu-python forgets its pointer only after a
  // success, and would free a refused operation a second time: so the pointer is taken from it before the call.
  Status Apply(KuduWriteOperation*& operation) {
    KuduWriteOperation* taken = operation;
    if (taken == nullptr) {
      return Status::IllegalState("the operation was applied before");
    }
    operation = nullptr;
    return ApplyHere(taken);
  }
  PARROT_ALWAYS_INLINE Status Flush() {
    OtherThreadsRun others;
    return FlushHere();
  }

  Status Close();
  bool HasPendingOperations() const;
  int CountBufferedOperations() const;
  int CountPendingErrors() const;
  void GetPendingErrors(std::vector<KuduError*>* errors, bool* overflowed);
  const ResourceMetrics& GetWriteOpMetrics() const;
  KuduClient* client() const;

 private:
  KuduSession();
  Status ApplyHere(KuduWriteOperation* operation) __asm__(
      "_ZN4kudu6client11KuduSession5ApplyEPNS0_18KuduWriteOperationE");
  Status FlushHere() __asm__("_ZN4kudu6client11KuduSession5FlushEv");
};

class KuduScanner {
 public:
  enum ReadMode { READ_LATEST = 0, READ_AT_SNAPSHOT = 1, READ_YOUR_WRITES = 2 };

  explicit KuduScanner(KuduTable* table);
  ~KuduScanner();
  KuduScanner(const KuduScanner&) = delete;
  KuduScanner& operator=(const KuduScanner&) = delete;

  Status AddConjunctPredicate(KuduPredicate* predicate);
  PARROT_ALWAYS_INLINE Status Open() {
    OtherThreadsRun others;
    return OpenHere();
  }
  void Close();
  bool HasMoreRows() const;
  PARROT_ALWAYS_INLINE Status NextBatch(KuduScanBatch* batch) {
    OtherThreadsRun others;
    return NextBatchHere(batch);
  }
  Status SetBatchSizeBytes(uint32_t bytes);
  Status SetSelection(KuduClient::ReplicaSelection selection);
  Status SetCacheBlocks(bool cache);
  Status SetReadMode(ReadMode mode);
  Status SetSnapshotMicros(uint64_t microseconds);
  Status SetTimeoutMillis(int milliseconds);
  Status SetProjectedColumnNames(const std::vector<std::string>& names);
  Status SetProjectedColumnIndexes(const std::vector<int>& indexes);
  Status SetFaultTolerant();
  Status AddLowerBound(const KuduPartialRow& key);
  Status AddExclusiveUpperBound(const KuduPartialRow& key);
  Status SetLimit(int64_t rows);
  Status KeepAlive();
  Status GetCurrentServer(KuduTabletServer** server);
  KuduSchema GetProjectionSchema() const;
  const ResourceMetrics& GetResourceMetrics() const;
  std::string ToString() const;

 private:
  Status OpenHere() __asm__("_ZN4kudu6client11KuduScanner4OpenEv");
  Status NextBatchHere(KuduScanBatch* batch) __asm__(
      "_ZN4kudu6client11KuduScanner9NextBatchEPNS0_13KuduScanBatchE");

  class Data;
  Data* data_;
};

class KuduScanToken {
 public:
  ~KuduScanToken();
  KuduScanToken(const KuduScanToken&) = delete;
  KuduScanToken& operator=(const KuduScanToken&) = delete;

  const KuduTablet& tablet() const;
  Status IntoKuduScanner(KuduScanner** scanner) const;
  Status Serialize(std::string* bytes) const;
  static Status DeserializeIntoScanner(KuduClient* client, const std::string& bytes, KuduScanner** scanner);

 private:
  KuduScanToken();

  class Data;
  Data* data_;
};

class KuduScanTokenBuilder {
 public:
  explicit KuduScanTokenBuilder(KuduTable* table);
  ~KuduScanTokenBuilder();
  KuduScanTokenBuilder(const KuduScanTokenBuilder&) = delete;
  KuduScanTokenBuilder& operator=(const KuduScanTokenBuilder&) = delete;

  Status SetProjectedColumnNames(const std::vector<std::string>& names);
  Status SetProjectedColumnIndexes(const std::vector<int>& indexes);
  Status SetBatchSizeBytes(uint32_t bytes);
  Status SetReadMode(KuduScanner::ReadMode mode);
  Status SetFaultTolerant();
  Status SetSnapshotMicros(uint64_t microseconds);
  Status SetSelection(KuduClient::ReplicaSelection selection);
  Status SetTimeoutMillis(int milliseconds);
  Status AddConjunctPredicate(KuduPredicate* predicate);
  Status AddLowerBound(const KuduPartialRow& key);
  Status AddUpperBound(const KuduPartialRow& key);
  Status SetCacheBlocks(bool cache);
  Status Build(std::vector<KuduScanToken*>* tokens);

 private:
  class Data;
  Data* data_;
};

}  // namespace client
}  // namespace kudu
