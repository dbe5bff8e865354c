#include "lib/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/store/temp_entry.h"
#include "lib/sys/file_util.h"

namespace containerkit::store {
namespace {

// Moves entries of `dir_fd` that begin with `prefix` and whose maker is dead
// into the trash.
absl::Status DropDead(const Layout& layout, int dir_fd,
                      absl::string_view prefix) {
  CK_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                      sys::ListDirAt(dir_fd, "."));
  for (const std::string& name : names) {
    if (!absl::StartsWith(name, prefix)) continue;
    CK_ASSIGN_OR_RETURN(const std::optional<TempEntry> dead,
                        ClaimDeadTemp(dir_fd, name));
    if (!dead.has_value()) continue;
    CK_RETURN_IF_ERROR(layout.MoveToTrash(dir_fd, name).status());
  }
  return absl::OkStatus();
}

// Layers that were only in the page cache of another boot.
absl::StatusOr<std::vector<Digest>> UnsyncedLayers(const Txn& txn,
                                                   const std::string& boot_id) {
  CK_ASSIGN_OR_RETURN(
      Statement row,
      txn.database().Prepare("SELECT diff_id FROM layers"
                             " WHERE boot_id IS NOT NULL AND boot_id<>?"));
  row.BindText(1, boot_id);
  std::vector<Digest> layers;
  for (;;) {
    CK_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return layers;
    CK_ASSIGN_OR_RETURN(Digest digest, Digest::Parse(row.Text(0)));
    layers.push_back(std::move(digest));
  }
}

absl::Status DropUnsyncedLayers(const Layout& layout, Metadata& metadata) {
  std::vector<Digest> layers;
  CK_RETURN_IF_ERROR(metadata.Read([&](const Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(layers, UnsyncedLayers(txn, layout.boot_id()));
    return absl::OkStatus();
  }));
  if (layers.empty()) return absl::OkStatus();
  return metadata.Write([&](Txn& txn) -> absl::Status {
    // Once more, now that nobody else can unpack one anew.
    CK_ASSIGN_OR_RETURN(layers, UnsyncedLayers(txn, layout.boot_id()));
    for (const Digest& layer : layers) {
      CK_RETURN_IF_ERROR(layout
                             .MoveToTrash(layout.layers_fd(layer.algorithm()),
                                          std::string(layer.hex()))
                             .status());
      CK_RETURN_IF_ERROR(txn.RemoveLayer(layer));
    }
    return absl::OkStatus();
  });
}

}  // namespace

Store::Store(StoreOptions options, std::unique_ptr<Layout> layout,
             std::unique_ptr<Metadata> metadata)
    : options_(std::move(options)),
      layout_(std::move(layout)),
      metadata_(std::move(metadata)),
      janitor_(layout_.get()),
      blobs_(layout_.get()),
      snapshots_(layout_.get(), &janitor_) {}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(
    const std::string& root, const StoreOptions& options) {
  StoreOptions chosen = options;
  if (!chosen.user_xattrs.has_value()) chosen.user_xattrs = geteuid() != 0;
  CK_ASSIGN_OR_RETURN(std::unique_ptr<Layout> layout,
                      Layout::Open(root, options.create, options.lock_timeout),
                      "open store ", root);
  layout->set_run_as_owner(options.run_as_owner);
  CK_ASSIGN_OR_RETURN(std::unique_ptr<Metadata> metadata,
                      Metadata::Open(layout.get(), options.lock_timeout),
                      "open store ", root);
  auto store = std::unique_ptr<Store>(
      new Store(std::move(chosen), std::move(layout), std::move(metadata)));
  CK_RETURN_IF_ERROR(store->Reconcile()) << "recover store " << root;
  return store;
}

absl::Status Store::DropDeadTemps() {
  CK_RETURN_IF_ERROR(DropDead(*layout_, layout_->temp_fd(), ""));
  return DropDead(*layout_, layout_->ingest_fd(), "anon-");
}

absl::Status Store::Reconcile() {
  CK_RETURN_IF_ERROR(DropDeadTemps());
  CK_RETURN_IF_ERROR(RemoveDeadLeases(*layout_, *metadata_).status());
  CK_RETURN_IF_ERROR(DropUnsyncedLayers(*layout_, *metadata_));
  CK_ASSIGN_OR_RETURN(const std::vector<std::string> trash,
                      sys::ListDirAt(layout_->trash_fd(), "."));
  if (!trash.empty()) janitor_.Wake();
  return absl::OkStatus();
}

absl::StatusOr<LayerRecord> Store::FindLayer(const Digest& diff_id) {
  absl::StatusOr<LayerRecord> layer;
  CK_RETURN_IF_ERROR(Read([&](const Txn& txn) {
    layer = txn.GetLayer(diff_id);
    return layer.status();
  }));
  if (faccessat(layout_->layers_fd(diff_id.algorithm()),
                std::string(diff_id.hex()).c_str(), F_OK, 0) == 0) {
    return layer;
  }
  return MakeError(
      absl::StatusCode::kNotFound,
      absl::StrCat("layer has lost its directory: ", diff_id.str()),
      {.reason = Reason::kLayerNotFound,
       .operation = "store.layer",
       .object_kind = "layer",
       .object_id = diff_id.str(),
       .hint = "pull the image again"});
}

absl::Status Store::SyncLayers() {
  if (!options_.durable) return absl::OkStatus();
  CK_RETURN_IF_ERROR(layout_->CheckProcess());
  // Which ones first: what comes while syncfs runs is not covered.
  std::vector<std::string> layers;
  CK_RETURN_IF_ERROR(metadata_->Read([&](const Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(
        Statement row,
        txn.database().Prepare("SELECT diff_id FROM layers"
                               " WHERE boot_id IS NOT NULL AND boot_id=?"));
    row.BindText(1, layout_->boot_id());
    for (;;) {
      CK_ASSIGN_OR_RETURN(const bool more, row.Step());
      if (!more) return absl::OkStatus();
      layers.emplace_back(row.Text(0));
    }
  }));
  if (layers.empty()) return absl::OkStatus();
  if (syncfs(layout_->root_fd()) != 0) {
    return SyscallError(errno, "store.sync", "syncfs", root());
  }
  return metadata_->Write([&](Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(Statement update,
                        txn.database().Prepare("UPDATE layers SET boot_id=NULL"
                                               " WHERE diff_id=?"));
    for (const std::string& layer : layers) {
      CK_RETURN_IF_ERROR(update.BindText(1, layer).RunAndReset());
    }
    return absl::OkStatus();
  });
}

}  // namespace containerkit::store
