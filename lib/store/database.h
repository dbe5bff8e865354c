// SQLite, thinly: the C types stop in database.cc.
//
// libsqlite3 is linked dynamically, so that a process has one copy of it
// whatever plugins it loads: two copies would drop each other's POSIX locks
// (docs/state-layout.md).
#ifndef CONTAINERKIT_LIB_STORE_DATABASE_H_
#define CONTAINERKIT_LIB_STORE_DATABASE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace containerkit::store {

// A prepared statement on loan from its Database; goes back, reset, when it
// is destroyed. Parameters count from 1, columns from 0.
//
// Bound texts and blobs must live until the statement is destroyed.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  Statement& BindInt(int index, int64_t value);
  Statement& BindText(int index, absl::string_view value);
  Statement& BindBlob(int index, absl::string_view value);
  Statement& BindNull(int index);

  // The next row: true; no more rows: false.
  //
  // Errors: ALREADY_EXISTS for a violated uniqueness; RESOURCE_EXHAUSTED /
  // kDiskFull; DATA_LOSS / kStoreCorrupt; UNAVAILABLE / kStoreBusy; else
  // INTERNAL / kSystemCall with errno.
  absl::StatusOr<bool> Step();
  // Step() for statements without rows.
  absl::Status Run();
  // Run(), then ready to be bound and run again.
  absl::Status RunAndReset();

  int64_t Int(int column) const;
  // Valid until the next Step().
  absl::string_view Text(int column) const;
  absl::string_view Blob(int column) const;
  bool IsNull(int column) const;

 private:
  friend class Database;
  Statement(sqlite3* db, sqlite3_stmt* stmt) : db_(db), stmt_(stmt) {}
  sqlite3* db_;
  sqlite3_stmt* stmt_;
  bool bind_failed_ = false;
};

// One connection. Exclusive: one thread at a time.
class Database {
 public:
  // Opens or makes the database file in WAL mode, synchronous=NORMAL.
  // `busy_timeout` bounds every wait for another process inside SQLite.
  //
  // Errors: as Statement::Step().
  static absl::StatusOr<std::unique_ptr<Database>> Open(
      const std::string& path, absl::Duration busy_timeout);

  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  // A statement from the cache; `sql` must be a string literal.
  //
  // Errors: as Statement::Step().
  absl::StatusOr<Statement> Prepare(const char* sql);

  // Runs statements that give no rows.
  absl::Status Exec(const char* sql);

  // Rows that the last INSERT, UPDATE or DELETE touched.
  int64_t Changes() const;

  // Whether commits from now on wait for the disk (synchronous=FULL).
  absl::Status SetSynced(bool synced);

  // Moves the write-ahead log into the database file and frees its space.
  // Outside transactions.
  absl::Status Checkpoint();

  // Gives up the connection without closing it: all that may be done in a
  // forked child (sqlite.org/howtocorrupt.html, 2.6).
  void Abandon();

 private:
  Database() = default;
  absl::Status Configure(absl::Duration busy_timeout);

  sqlite3* db_ = nullptr;
  bool synced_ = false;
  absl::flat_hash_map<const char*, sqlite3_stmt*> cache_;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_DATABASE_H_
