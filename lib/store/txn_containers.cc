// Containers and values of a transaction.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/store/database.h"
#include "lib/store/txn.h"

namespace containerkit::store {
namespace {

constexpr char kOperation[] = "store.container";

#define CK_CONTAINER_COLUMNS \
  "id,name,image_id,created_ns,scope_id,auto_remove,state,record"

ContainerRow RowOf(const Statement& row) {
  return {.id = std::string(row.Text(0)),
          .name = std::string(row.Text(1)),
          .image_id = std::string(row.Text(2)),
          .created_ns = row.Int(3),
          .scope_id = std::string(row.Text(4)),
          .auto_remove = row.Int(5) != 0,
          .state = static_cast<int32_t>(row.Int(6)),
          .record = std::string(row.Blob(7))};
}

void BindRow(Statement& statement, const ContainerRow& row) {
  statement.BindText(1, row.id)
      .BindText(2, row.name)
      .BindText(3, row.image_id)
      .BindInt(4, row.created_ns)
      .BindText(5, row.scope_id)
      .BindInt(6, row.auto_remove ? 1 : 0)
      .BindInt(7, row.state)
      .BindBlob(8, row.record);
}

absl::Status ContainerError(absl::StatusCode code, Reason reason,
                            absl::string_view message, absl::string_view id) {
  return MakeError(code, absl::StrCat(message, id),
                   {.reason = reason,
                    .operation = kOperation,
                    .object_kind = "container",
                    .object_id = std::string(id)});
}

absl::Status ContainerNotFound(absl::string_view id) {
  return ContainerError(absl::StatusCode::kNotFound, Reason::kContainerNotFound,
                        "no such container: ", id);
}

// The least text above all that begin with `prefix`.
std::string AfterPrefix(absl::string_view prefix) {
  std::string after(prefix);
  while (!after.empty() && static_cast<unsigned char>(after.back()) == 0xff) {
    after.pop_back();
  }
  if (!after.empty()) after.back() = static_cast<char>(after.back() + 1);
  return after;
}

}  // namespace

absl::Status Txn::CheckWritable() const {
  return writable_ ? absl::OkStatus()
                   : InternalError("store.transaction",
                                   "write in a read transaction");
}

absl::Status Txn::CheckContainerRow(const ContainerRow& row) const {
  if (row.id.empty() || row.name.empty()) {
    return InvalidArgument(Reason::kInvalidArgument, kOperation,
                           "container without id or name");
  }
  CK_ASSIGN_OR_RETURN(
      Statement taken,
      database_->Prepare("SELECT id FROM containers WHERE name=?"));
  taken.BindText(1, row.name);
  CK_ASSIGN_OR_RETURN(const bool found, taken.Step());
  if (found && taken.Text(0) != row.id) {
    return ContainerError(absl::StatusCode::kAlreadyExists, Reason::kNameInUse,
                          absl::StrCat("container name ", row.name,
                                       " is already in use by container "),
                          taken.Text(0));
  }
  return absl::OkStatus();
}

absl::Status Txn::InsertContainer(const ContainerRow& row) {
  CK_RETURN_IF_ERROR(CheckWritable());
  CK_RETURN_IF_ERROR(CheckContainerRow(row));
  if (!row.image_id.empty()) {
    CK_ASSIGN_OR_RETURN(const bool exists, ImageExists(row.image_id));
    if (!exists) {
      return MakeError(absl::StatusCode::kNotFound,
                       absl::StrCat("no such image: ", row.image_id),
                       {.reason = Reason::kImageNotFound,
                        .operation = kOperation,
                        .object_kind = "image",
                        .object_id = row.image_id});
    }
  }
  CK_ASSIGN_OR_RETURN(
      Statement insert,
      database_->Prepare("INSERT INTO containers(" CK_CONTAINER_COLUMNS
                         ") VALUES(?,?,?,?,?,?,?,?)"));
  BindRow(insert, row);
  return insert.Run();
}

absl::Status Txn::UpdateContainer(const ContainerRow& row) {
  CK_RETURN_IF_ERROR(CheckWritable());
  CK_RETURN_IF_ERROR(CheckContainerRow(row));
  CK_ASSIGN_OR_RETURN(
      Statement update,
      database_->Prepare("UPDATE containers SET name=?2,image_id=?3,"
                         "created_ns=?4,scope_id=?5,auto_remove=?6,state=?7,"
                         "record=?8 WHERE id=?1"));
  BindRow(update, row);
  CK_RETURN_IF_ERROR(update.Run());
  if (database_->Changes() == 0) return ContainerNotFound(row.id);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<ContainerRow>> Txn::OneContainer(
    const char* sql, absl::string_view key) const {
  CK_ASSIGN_OR_RETURN(Statement row, database_->Prepare(sql));
  row.BindText(1, key);
  CK_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return std::optional<ContainerRow>();
  return std::optional<ContainerRow>(RowOf(row));
}

absl::StatusOr<ContainerRow> Txn::GetContainer(absl::string_view id) const {
  CK_ASSIGN_OR_RETURN(
      std::optional<ContainerRow> row,
      OneContainer("SELECT " CK_CONTAINER_COLUMNS " FROM containers WHERE id=?",
                   id));
  if (!row.has_value()) return ContainerNotFound(id);
  return *std::move(row);
}

absl::StatusOr<ContainerRow> Txn::FindContainer(absl::string_view key) const {
  if (key.empty()) return ContainerNotFound(key);
  CK_ASSIGN_OR_RETURN(
      std::optional<ContainerRow> row,
      OneContainer("SELECT " CK_CONTAINER_COLUMNS " FROM containers WHERE id=?",
                   key));
  if (row.has_value()) return *std::move(row);
  CK_ASSIGN_OR_RETURN(row, OneContainer("SELECT " CK_CONTAINER_COLUMNS
                                        " FROM containers WHERE name=?",
                                        key));
  if (row.has_value()) return *std::move(row);
  const std::string after = AfterPrefix(key);
  CK_ASSIGN_OR_RETURN(
      Statement match,
      database_->Prepare("SELECT " CK_CONTAINER_COLUMNS " FROM containers"
                         " WHERE id>=? AND id<? LIMIT 2"));
  match.BindText(1, key).BindText(2, after);
  CK_ASSIGN_OR_RETURN(const bool found, match.Step());
  if (!found) return ContainerNotFound(key);
  ContainerRow result = RowOf(match);
  CK_ASSIGN_OR_RETURN(const bool more, match.Step());
  if (!more) return result;
  return ContainerError(absl::StatusCode::kInvalidArgument,
                        Reason::kContainerAmbiguous,
                        "several containers begin with ", key);
}

absl::StatusOr<std::vector<ContainerRow>> Txn::ListContainers(
    const ContainerFilter& filter) const {
  CK_ASSIGN_OR_RETURN(
      Statement row,
      database_->Prepare("SELECT " CK_CONTAINER_COLUMNS " FROM containers"
                         " WHERE (?1 IS NULL OR image_id=?1)"
                         " AND (?2 IS NULL OR scope_id=?2)"
                         " AND (?3 IS NULL OR state=?3)"
                         " ORDER BY created_ns DESC,id"));
  if (filter.image_id.has_value()) row.BindText(1, *filter.image_id);
  if (filter.scope_id.has_value()) row.BindText(2, *filter.scope_id);
  if (filter.state.has_value()) row.BindInt(3, *filter.state);
  std::vector<ContainerRow> rows;
  for (;;) {
    CK_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return rows;
    rows.push_back(RowOf(row));
  }
}

absl::StatusOr<bool> Txn::RemoveContainer(absl::string_view id) {
  CK_RETURN_IF_ERROR(CheckWritable());
  CK_ASSIGN_OR_RETURN(Statement drop,
                      database_->Prepare("DELETE FROM containers WHERE id=?"));
  CK_RETURN_IF_ERROR(drop.BindText(1, id).Run());
  return database_->Changes() > 0;
}

absl::Status Txn::PutValue(absl::string_view key, absl::string_view value) {
  CK_RETURN_IF_ERROR(CheckWritable());
  CK_ASSIGN_OR_RETURN(
      Statement put,
      database_->Prepare("INSERT OR REPLACE INTO kv(key,value) VALUES(?,?)"));
  return put.BindBlob(1, key).BindBlob(2, value).Run();
}

absl::StatusOr<std::optional<std::string>> Txn::GetValue(
    absl::string_view key) const {
  CK_ASSIGN_OR_RETURN(Statement row,
                      database_->Prepare("SELECT value FROM kv WHERE key=?"));
  row.BindBlob(1, key);
  CK_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return std::optional<std::string>();
  return std::optional<std::string>(row.Blob(0));
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>>
Txn::ListValues(absl::string_view prefix) const {
  const std::string after = AfterPrefix(prefix);
  CK_ASSIGN_OR_RETURN(
      Statement row,
      database_->Prepare("SELECT key,value FROM kv WHERE key>=?1"
                         " AND (?2 IS NULL OR key<?2) ORDER BY key"));
  row.BindBlob(1, prefix);
  if (!after.empty()) row.BindBlob(2, after);
  std::vector<std::pair<std::string, std::string>> values;
  for (;;) {
    CK_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return values;
    values.emplace_back(row.Blob(0), row.Blob(1));
  }
}

absl::StatusOr<bool> Txn::RemoveValue(absl::string_view key) {
  CK_RETURN_IF_ERROR(CheckWritable());
  CK_ASSIGN_OR_RETURN(Statement drop,
                      database_->Prepare("DELETE FROM kv WHERE key=?"));
  CK_RETURN_IF_ERROR(drop.BindBlob(1, key).Run());
  return database_->Changes() > 0;
}

#undef CK_CONTAINER_COLUMNS

}  // namespace containerkit::store
