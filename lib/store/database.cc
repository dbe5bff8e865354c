#include "lib/store/database.h"

#include <errno.h>
#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace containerkit::store {
namespace {

constexpr char kOperation[] = "store.database";
// Pages of the WAL after which a commit copies them into the database file
// (two fsyncs). A process that opens the root alone reads all of them first:
// 1000 took 1.5 ms of a `ck run`.
constexpr char kSetup[] =
    "PRAGMA page_size=1024;"
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=NORMAL;"
    "PRAGMA wal_autocheckpoint=250;"
    "PRAGMA journal_size_limit=8388608;"
    "PRAGMA temp_store=MEMORY;";

absl::Status SqliteError(sqlite3* db, int code) {
  const int primary = code & 0xff;
  ErrorDetail detail{.reason = Reason::kSystemCall, .operation = kOperation};
  absl::StatusCode status_code = absl::StatusCode::kInternal;
  switch (primary) {
    case SQLITE_CONSTRAINT:
      status_code = absl::StatusCode::kAlreadyExists;
      detail.reason = Reason::kNameInUse;
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      status_code = absl::StatusCode::kUnavailable;
      detail.reason = Reason::kStoreBusy;
      detail.retryable = true;
      break;
    case SQLITE_FULL:
      status_code = absl::StatusCode::kResourceExhausted;
      detail.reason = Reason::kDiskFull;
      detail.os_errno = ENOSPC;
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      status_code = absl::StatusCode::kDataLoss;
      detail.reason = Reason::kStoreCorrupt;
      detail.hint = "run the store check with repair";
      break;
    case SQLITE_NOMEM:
      status_code = absl::StatusCode::kResourceExhausted;
      detail.reason = Reason::kLimitExceeded;
      break;
    default:
      if (db != nullptr) detail.os_errno = sqlite3_system_errno(db);
      if (detail.os_errno == ENOSPC || detail.os_errno == EDQUOT) {
        status_code = absl::StatusCode::kResourceExhausted;
        detail.reason = Reason::kDiskFull;
      }
      break;
  }
  const char* text = db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  return MakeError(status_code,
                   absl::StrCat("sqlite: ", text, " (code ", code, ")"),
                   std::move(detail));
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : db_(other.db_),
      stmt_(std::exchange(other.stmt_, nullptr)),
      bind_failed_(other.bind_failed_) {}

Statement::~Statement() {
  if (stmt_ == nullptr) return;
  sqlite3_reset(stmt_);
  sqlite3_clear_bindings(stmt_);
}

Statement& Statement::BindInt(int index, int64_t value) {
  bind_failed_ |= sqlite3_bind_int64(stmt_, index, value) != SQLITE_OK;
  return *this;
}

Statement& Statement::BindText(int index, absl::string_view value) {
  // A null pointer would bind NULL.
  const char* data = value.data() == nullptr ? "" : value.data();
  bind_failed_ |= sqlite3_bind_text64(stmt_, index, data, value.size(),
                                      SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK;
  return *this;
}

Statement& Statement::BindBlob(int index, absl::string_view value) {
  const char* data = value.data() == nullptr ? "" : value.data();
  bind_failed_ |= sqlite3_bind_blob64(stmt_, index, data, value.size(),
                                      SQLITE_STATIC) != SQLITE_OK;
  return *this;
}

Statement& Statement::BindNull(int index) {
  bind_failed_ |= sqlite3_bind_null(stmt_, index) != SQLITE_OK;
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  if (bind_failed_) return SqliteError(db_, sqlite3_extended_errcode(db_));
  const int code = sqlite3_step(stmt_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return SqliteError(db_, sqlite3_extended_errcode(db_));
}

absl::Status Statement::Run() { return Step().status(); }

absl::Status Statement::RunAndReset() {
  absl::Status status = Run();
  sqlite3_reset(stmt_);
  return status;
}

int64_t Statement::Int(int column) const {
  return sqlite3_column_int64(stmt_, column);
}

absl::string_view Statement::Text(int column) const {
  const auto* data =
      reinterpret_cast<const char*>(sqlite3_column_text(stmt_, column));
  if (data == nullptr) return "";
  return {data, static_cast<size_t>(sqlite3_column_bytes(stmt_, column))};
}

absl::string_view Statement::Blob(int column) const {
  const auto* data =
      static_cast<const char*>(sqlite3_column_blob(stmt_, column));
  if (data == nullptr) return "";
  return {data, static_cast<size_t>(sqlite3_column_bytes(stmt_, column))};
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(stmt_, column) == SQLITE_NULL;
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(
    const std::string& path, absl::Duration busy_timeout) {
  auto database = std::unique_ptr<Database>(new Database);
  const int code =
      sqlite3_open_v2(path.c_str(), &database->db_,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                          SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                      nullptr);
  if (code != SQLITE_OK) return SqliteError(database->db_, code);
  CK_RETURN_IF_ERROR(database->Configure(busy_timeout));
  return database;
}

absl::Status Database::Configure(absl::Duration busy_timeout) {
  const int64_t ms = absl::ToInt64Milliseconds(busy_timeout);
  sqlite3_busy_timeout(db_, static_cast<int>(std::min<int64_t>(ms, 1 << 30)));
  // A short-lived process must not pay two fsyncs for closing.
  sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  // Rows come from files that an attacker with the user's rights could write;
  // no schema trick may run code.
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return Exec(kSetup);
}

Database::~Database() {
  if (db_ == nullptr) return;
  for (const auto& [sql, stmt] : cache_) sqlite3_finalize(stmt);
  sqlite3_close(db_);
}

absl::StatusOr<Statement> Database::Prepare(const char* sql) {
  auto [it, is_new] = cache_.try_emplace(sql, nullptr);
  if (is_new) {
    const int code = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                        &it->second, nullptr);
    if (code != SQLITE_OK) {
      cache_.erase(it);
      return SqliteError(db_, code);
    }
  } else if (sqlite3_stmt_busy(it->second)) {
    return InternalError(kOperation, "statement is already in use");
  }
  return Statement(db_, it->second);
}

absl::Status Database::Exec(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : SqliteError(db_, code);
}

int64_t Database::Changes() const { return sqlite3_changes64(db_); }

absl::Status Database::SetSynced(bool synced) {
  if (synced == synced_) return absl::OkStatus();
  CK_RETURN_IF_ERROR(
      Exec(synced ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL"));
  synced_ = synced;
  return absl::OkStatus();
}

absl::Status Database::Checkpoint() {
  return Exec("PRAGMA wal_checkpoint(TRUNCATE)");
}

void Database::Abandon() {
  cache_.clear();
  db_ = nullptr;
}

}  // namespace containerkit::store
