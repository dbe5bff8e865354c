// Images, references and layers of a transaction.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "lib/base/digest.h"
#include "lib/base/status.h"
#include "lib/store/database.h"
#include "lib/store/txn.h"

namespace containerkit::store {
namespace {

constexpr char kOperation[] = "store.image";
constexpr char kSha256[] = "sha256:";

absl::Status ImageNotFound(absl::string_view id) {
  return MakeError(absl::StatusCode::kNotFound,
                   absl::StrCat("no such image: ", id),
                   {.reason = Reason::kImageNotFound,
                    .operation = kOperation,
                    .object_kind = "image",
                    .object_id = std::string(id)});
}

absl::Status Corrupt(absl::string_view kind, absl::string_view id) {
  return MakeError(absl::StatusCode::kDataLoss,
                   absl::StrCat(kind, " record cannot be read: ", id),
                   {.reason = Reason::kStoreCorrupt,
                    .operation = "store.database",
                    .object_kind = std::string(kind),
                    .object_id = std::string(id)});
}

// Reads a proto from a column.
template <typename T>
absl::StatusOr<T> ParseRecord(const Statement& row, int column,
                              absl::string_view kind, absl::string_view id) {
  T record;
  const absl::string_view bytes = row.Blob(column);
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Corrupt(kind, id);
  }
  return record;
}

bool IsHex(absl::string_view text) {
  for (const char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<bool> Txn::ImageExists(absl::string_view id) const {
  CK_ASSIGN_OR_RETURN(
      Statement row,
      database_->Prepare("SELECT 1 FROM images WHERE id=? AND hidden=0"));
  row.BindText(1, id);
  return row.Step();
}

absl::Status Txn::PutImage(const ImageRecord& image) {
  CK_RETURN_IF_ERROR(CheckWritable());
  CK_RETURN_IF_ERROR(Digest::Parse(image.id()).status()) << "image id";
  for (const ImageLayer& layer : image.layers()) {
    CK_RETURN_IF_ERROR(Digest::Parse(layer.diff_id()).status()) << "diff id";
  }
  const std::string bytes = image.SerializeAsString();
  CK_ASSIGN_OR_RETURN(
      Statement put,
      database_->Prepare("INSERT INTO images(id,hidden,created_ns,record)"
                         " VALUES(?,0,?,?) ON CONFLICT(id) DO UPDATE SET"
                         " hidden=0,created_ns=excluded.created_ns,"
                         "record=excluded.record"));
  return put.BindText(1, image.id())
      .BindInt(2, image.created_ns())
      .BindBlob(3, bytes)
      .Run();
}

absl::StatusOr<ImageRecord> Txn::GetImage(absl::string_view id) const {
  CK_ASSIGN_OR_RETURN(
      Statement row,
      database_->Prepare("SELECT record FROM images WHERE id=? AND hidden=0"));
  row.BindText(1, id);
  CK_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return ImageNotFound(id);
  return ParseRecord<ImageRecord>(row, 0, "image", id);
}

absl::StatusOr<ImageRecord> Txn::FindImage(absl::string_view prefix) const {
  const absl::string_view hex = absl::StripPrefix(prefix, kSha256);
  if (hex.empty() || hex.size() > 64 || !IsHex(hex)) {
    return ImageNotFound(prefix);
  }
  const std::string low = absl::StrCat(kSha256, hex);
  const std::string high = absl::StrCat(kSha256, hex, "g");
  CK_ASSIGN_OR_RETURN(
      Statement row,
      database_->Prepare("SELECT id,record FROM images WHERE id>=? AND id<?"
                         " AND hidden=0 LIMIT 2"));
  row.BindText(1, low).BindText(2, high);
  CK_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return ImageNotFound(prefix);
  absl::StatusOr<ImageRecord> image =
      ParseRecord<ImageRecord>(row, 1, "image", row.Text(0));
  CK_ASSIGN_OR_RETURN(const bool more, row.Step());
  if (!more) return image;
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("several images begin with ", prefix),
                   {.reason = Reason::kImageAmbiguous,
                    .operation = kOperation,
                    .object_kind = "image",
                    .object_id = std::string(prefix)});
}

absl::StatusOr<std::vector<ImageRecord>> Txn::ListImages() const {
  CK_ASSIGN_OR_RETURN(
      Statement row,
      database_->Prepare("SELECT record,id FROM images WHERE hidden=0"
                         " ORDER BY created_ns DESC,id"));
  std::vector<ImageRecord> images;
  for (;;) {
    CK_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return images;
    CK_ASSIGN_OR_RETURN(ImageRecord image,
                        ParseRecord<ImageRecord>(row, 0, "image", row.Text(1)));
    images.push_back(std::move(image));
  }
}

absl::Status Txn::RemoveImage(absl::string_view id, bool force) {
  CK_RETURN_IF_ERROR(CheckWritable());
  CK_ASSIGN_OR_RETURN(const bool exists, ImageExists(id));
  if (!exists) return ImageNotFound(id);
  bool in_use = false;
  {
    CK_ASSIGN_OR_RETURN(
        Statement user,
        database_->Prepare("SELECT id FROM containers WHERE image_id=?"
                           " LIMIT 1"));
    user.BindText(1, id);
    CK_ASSIGN_OR_RETURN(in_use, user.Step());
    if (in_use && !force) {
      return MakeError(
          absl::StatusCode::kFailedPrecondition,
          absl::StrCat("image ", id, " is used by container ", user.Text(0)),
          {.reason = Reason::kImageInUse,
           .operation = kOperation,
           .object_kind = "container",
           .object_id = std::string(user.Text(0))});
    }
  }
  CK_ASSIGN_OR_RETURN(Statement names,
                      database_->Prepare("DELETE FROM refs WHERE image_id=?"));
  CK_RETURN_IF_ERROR(names.BindText(1, id).Run());
  CK_ASSIGN_OR_RETURN(
      Statement drop,
      database_->Prepare(in_use ? "UPDATE images SET hidden=1 WHERE id=?"
                                : "DELETE FROM images WHERE id=?"));
  return drop.BindText(1, id).Run();
}

absl::Status Txn::PutReference(const ReferenceRecord& reference) {
  CK_RETURN_IF_ERROR(CheckWritable());
  if (reference.name().empty()) {
    return InvalidArgument(Reason::kInvalidReference, kOperation,
                           "reference without a name");
  }
  CK_ASSIGN_OR_RETURN(const bool exists, ImageExists(reference.image_id()));
  if (!exists) return ImageNotFound(reference.image_id());
  const std::string bytes = reference.SerializeAsString();
  CK_ASSIGN_OR_RETURN(
      Statement put,
      database_->Prepare("INSERT INTO refs(name,image_id,record) VALUES(?,?,?)"
                         " ON CONFLICT(name) DO UPDATE SET"
                         " image_id=excluded.image_id,"
                         "record=excluded.record"));
  return put.BindBlob(1, reference.name())
      .BindText(2, reference.image_id())
      .BindBlob(3, bytes)
      .Run();
}

absl::StatusOr<ReferenceRecord> Txn::GetReference(
    absl::string_view name) const {
  CK_ASSIGN_OR_RETURN(
      Statement row,
      database_->Prepare("SELECT record FROM refs WHERE name=?"));
  row.BindBlob(1, name);
  CK_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return ImageNotFound(name);
  return ParseRecord<ReferenceRecord>(row, 0, "reference", name);
}

absl::StatusOr<std::vector<ReferenceRecord>> Txn::ListReferences(
    absl::string_view image_id) const {
  CK_ASSIGN_OR_RETURN(
      Statement row,
      database_->Prepare(image_id.empty()
                             ? "SELECT record,name FROM refs ORDER BY name"
                             : "SELECT record,name FROM refs WHERE image_id=?"
                               " ORDER BY name"));
  if (!image_id.empty()) row.BindText(1, image_id);
  std::vector<ReferenceRecord> references;
  for (;;) {
    CK_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return references;
    CK_ASSIGN_OR_RETURN(
        ReferenceRecord reference,
        ParseRecord<ReferenceRecord>(row, 0, "reference", row.Blob(1)));
    // It is found by its key, whatever a damaged record calls itself.
    reference.set_name(std::string(row.Blob(1)));
    references.push_back(std::move(reference));
  }
}

absl::StatusOr<bool> Txn::RemoveReference(absl::string_view name) {
  CK_RETURN_IF_ERROR(CheckWritable());
  CK_ASSIGN_OR_RETURN(Statement drop,
                      database_->Prepare("DELETE FROM refs WHERE name=?"));
  CK_RETURN_IF_ERROR(drop.BindBlob(1, name).Run());
  return database_->Changes() > 0;
}

absl::StatusOr<LayerRecord> Txn::GetLayer(const Digest& diff_id) const {
  CK_ASSIGN_OR_RETURN(
      Statement row,
      database_->Prepare("SELECT record FROM layers WHERE diff_id=?"));
  row.BindText(1, diff_id.str());
  CK_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) {
    return MakeError(absl::StatusCode::kNotFound,
                     absl::StrCat("no such layer: ", diff_id.str()),
                     {.reason = Reason::kLayerNotFound,
                      .operation = "store.layer",
                      .object_kind = "layer",
                      .object_id = diff_id.str()});
  }
  return ParseRecord<LayerRecord>(row, 0, "layer", diff_id.str());
}

absl::StatusOr<std::vector<LayerRecord>> Txn::ListLayers() const {
  CK_ASSIGN_OR_RETURN(
      Statement row,
      database_->Prepare("SELECT record,diff_id FROM layers ORDER BY diff_id"));
  std::vector<LayerRecord> layers;
  for (;;) {
    CK_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return layers;
    CK_ASSIGN_OR_RETURN(LayerRecord layer,
                        ParseRecord<LayerRecord>(row, 0, "layer", row.Text(1)));
    layers.push_back(std::move(layer));
  }
}

absl::Status Txn::PutLayer(const LayerRecord& layer,
                           absl::string_view boot_id) {
  CK_RETURN_IF_ERROR(CheckWritable());
  const std::string bytes = layer.SerializeAsString();
  CK_ASSIGN_OR_RETURN(
      Statement put,
      database_->Prepare("INSERT OR REPLACE INTO layers(diff_id,boot_id,record)"
                         " VALUES(?,?,?)"));
  put.BindText(1, layer.diff_id()).BindBlob(3, bytes);
  if (boot_id.empty()) {
    put.BindNull(2);
  } else {
    put.BindText(2, boot_id);
  }
  return put.Run();
}

absl::Status Txn::RemoveLayer(const Digest& diff_id) {
  CK_RETURN_IF_ERROR(CheckWritable());
  CK_ASSIGN_OR_RETURN(Statement drop,
                      database_->Prepare("DELETE FROM layers WHERE diff_id=?"));
  return drop.BindText(1, diff_id.str()).Run();
}

}  // namespace containerkit::store
