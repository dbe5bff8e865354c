#include "lib/store/metadata.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/sys/file_util.h"
#include "lib/sys/lock_file.h"

namespace containerkit::store {
namespace {

constexpr char kDatabaseFile[] = "metadata.db";
constexpr char kWriteLock[] = "write.lock";
constexpr int kSchemaVersion = 1;

// docs/state-layout.md explains each table.
constexpr char kSchema[] = R"sql(
CREATE TABLE images(
  id TEXT PRIMARY KEY, hidden INTEGER NOT NULL, created_ns INTEGER NOT NULL,
  record BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE refs(
  name BLOB PRIMARY KEY, image_id TEXT NOT NULL, record BLOB NOT NULL)
  WITHOUT ROWID;
CREATE INDEX refs_image ON refs(image_id);
CREATE TABLE layers(
  diff_id TEXT PRIMARY KEY, boot_id TEXT, record BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX layers_unsynced ON layers(boot_id) WHERE boot_id IS NOT NULL;
CREATE TABLE containers(
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, image_id TEXT NOT NULL,
  created_ns INTEGER NOT NULL, scope_id TEXT NOT NULL,
  auto_remove INTEGER NOT NULL, state INTEGER NOT NULL, record BLOB NOT NULL);
CREATE INDEX containers_image ON containers(image_id) WHERE image_id<>'';
CREATE INDEX containers_scope ON containers(scope_id) WHERE scope_id<>'';
CREATE TABLE kv(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE leases(id TEXT PRIMARY KEY, created_ns INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE lease_items(
  lease_id TEXT NOT NULL, kind INTEGER NOT NULL, digest TEXT NOT NULL,
  PRIMARY KEY(lease_id, kind, digest)) WITHOUT ROWID;
PRAGMA user_version=1;
)sql";

// The Metadata whose transaction this thread is in: a second one would wait
// for itself.
thread_local const void* active_transaction = nullptr;

bool IsMissingOrEmpty(const Layout& layout) {
  struct stat info;
  return fstatat(layout.root_fd(), kDatabaseFile, &info, 0) != 0 ||
         info.st_size == 0;
}

absl::Status RunCached(Database* database, const char* sql) {
  CK_ASSIGN_OR_RETURN(Statement statement, database->Prepare(sql));
  return statement.Run();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Metadata>> Metadata::Open(
    const Layout* layout, absl::Duration lock_timeout) {
  auto metadata = std::unique_ptr<Metadata>(new Metadata(layout, lock_timeout));
  CK_ASSIGN_OR_RETURN(
      metadata->write_lock_,
      sys::OpenAt(layout->root_fd(), kWriteLock, O_RDWR | O_CREAT, 0600));
  MutexLock lock(&metadata->mutex_);
  const int lock_fd = metadata->write_lock_.get();
  absl::Cleanup unlock = [lock_fd] { sys::UnlockFd(lock_fd); };
  // SQLite does not wait for another process that makes the same file one with
  // a WAL, as it does for all else: only one may.
  if (IsMissingOrEmpty(*layout)) {
    CK_RETURN_IF_ERROR(sys::LockFd(lock_fd, sys::LockMode::kExclusive,
                                   lock_timeout, kWriteLock));
  }
  CK_ASSIGN_OR_RETURN(
      metadata->database_,
      Database::Open(absl::StrCat(layout->root(), "/", kDatabaseFile),
                     lock_timeout),
      "open metadata");
  CK_RETURN_IF_ERROR(metadata->Migrate()) << "open metadata";
  return metadata;
}

Metadata::~Metadata() {
  MutexLock lock(&mutex_);
  if (database_ != nullptr && !layout_->CheckProcess().ok()) {
    database_->Abandon();
  }
}

absl::Status Metadata::Migrate() {
  const auto version = [this]() -> absl::StatusOr<int64_t> {
    mutex_.AssertHeld();
    CK_ASSIGN_OR_RETURN(Statement row,
                        database_->Prepare("PRAGMA user_version"));
    CK_RETURN_IF_ERROR(row.Run());
    return row.Int(0);
  };
  CK_ASSIGN_OR_RETURN(int64_t found, version());
  if (found == 0) {
    CK_RETURN_IF_ERROR(sys::LockFd(write_lock_.get(), sys::LockMode::kExclusive,
                                   lock_timeout_, kWriteLock));
    absl::Cleanup unlock = [this] { sys::UnlockFd(write_lock_.get()); };
    CK_ASSIGN_OR_RETURN(found, version());
    if (found == 0) {
      CK_RETURN_IF_ERROR(database_->Exec("BEGIN IMMEDIATE"));
      const absl::Status made = database_->Exec(kSchema);
      CK_RETURN_IF_ERROR(
          FirstError(made, database_->Exec(made.ok() ? "COMMIT" : "ROLLBACK")));
      found = kSchemaVersion;
    }
  }
  if (found == kSchemaVersion) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("metadata has schema ", found,
                                ", this program knows ", kSchemaVersion),
                   {.reason = Reason::kStoreVersion,
                    .operation = "store.open",
                    .path = layout_->root(),
                    .hint = "use a newer containerkit, or another state root"});
}

absl::Status Metadata::CheckThread() const {
  CK_RETURN_IF_ERROR(layout_->CheckProcess());
  if (active_transaction != this) return absl::OkStatus();
  return InternalError("store.transaction", "transaction inside another one");
}

absl::Status Metadata::RunLocked(absl::FunctionRef<absl::Status(Txn&)> fn,
                                 bool writable) {
  CK_RETURN_IF_ERROR(
      RunCached(database_.get(), writable ? "BEGIN IMMEDIATE" : "BEGIN"));
  // Also when `fn` throws. SQLite has rolled back by itself after some errors;
  // asking again then fails harmlessly.
  absl::Cleanup rollback = [this] {
    mutex_.AssertHeld();
    RunCached(database_.get(), "ROLLBACK").IgnoreError();
  };
  Txn txn(database_.get(), writable);
  active_transaction = this;
  absl::Cleanup leave = [] { active_transaction = nullptr; };
  CK_RETURN_IF_ERROR(fn(txn));
  CK_RETURN_IF_ERROR(RunCached(database_.get(), "COMMIT"));
  std::move(rollback).Cancel();
  return absl::OkStatus();
}

absl::Status Metadata::Write(absl::FunctionRef<absl::Status(Txn&)> fn,
                             Durability durability) {
  CK_RETURN_IF_ERROR(CheckThread());
  MutexLock lock(&mutex_);
  CK_RETURN_IF_ERROR(sys::LockFd(write_lock_.get(), sys::LockMode::kExclusive,
                                 lock_timeout_, kWriteLock));
  absl::Cleanup unlock = [this] { sys::UnlockFd(write_lock_.get()); };
  CK_RETURN_IF_ERROR(database_->SetSynced(durability == Durability::kPower));
  return RunLocked(fn, /*writable=*/true);
}

absl::Status Metadata::Compact() {
  CK_RETURN_IF_ERROR(CheckThread());
  MutexLock lock(&mutex_);
  CK_RETURN_IF_ERROR(sys::LockFd(write_lock_.get(), sys::LockMode::kExclusive,
                                 lock_timeout_, kWriteLock));
  absl::Cleanup unlock = [this] { sys::UnlockFd(write_lock_.get()); };
  return database_->Checkpoint();
}

absl::Status Metadata::Reclaim(absl::FunctionRef<absl::Status(Txn&)> fn) {
  absl::Status status = Write(fn);
  if (GetReason(status) != Reason::kDiskFull) return status;
  layout_->ReleaseReserve();
  // The log is the file that grows; without this, a row of removals would use
  // the reserve up.
  Compact().IgnoreError();
  status = Write(fn);
  // Back as soon as there is room; Open() tries again.
  layout_->FillReserve();
  return status;
}

absl::Status Metadata::Read(absl::FunctionRef<absl::Status(const Txn&)> fn) {
  CK_RETURN_IF_ERROR(CheckThread());
  MutexLock lock(&mutex_);
  return RunLocked([&fn](Txn& txn) { return fn(txn); }, /*writable=*/false);
}

}  // namespace containerkit::store
