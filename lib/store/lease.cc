#include "lib/store/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/store/temp_entry.h"
#include "lib/sys/file_util.h"
#include "lib/sys/lock_file.h"

namespace containerkit::store {
namespace {

absl::Status DeleteLease(Txn& txn, const std::string& id) {
  CK_ASSIGN_OR_RETURN(
      Statement items,
      txn.database().Prepare("DELETE FROM lease_items WHERE lease_id=?"));
  CK_RETURN_IF_ERROR(items.BindText(1, id).Run());
  CK_ASSIGN_OR_RETURN(Statement lease,
                      txn.database().Prepare("DELETE FROM leases WHERE id=?"));
  return lease.BindText(1, id).Run();
}

}  // namespace

absl::StatusOr<Lease> Lease::Create(const Layout* layout, Metadata* metadata) {
  CK_RETURN_IF_ERROR(layout->CheckProcess());
  // The lock before the row: a row without a held lock is a dead lease.
  CK_ASSIGN_OR_RETURN(TempEntry entry, MakeTempFile(layout->leases_fd(), ""),
                      "make lease");
  Lease lease(layout, metadata, std::move(entry.name), std::move(entry.fd));
  CK_RETURN_IF_ERROR(metadata->Write([&lease](Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(Statement insert,
                        txn.database().Prepare(
                            "INSERT INTO leases(id,created_ns) VALUES(?,?)"));
    return insert.BindText(1, lease.id_)
        .BindInt(2, absl::ToUnixNanos(absl::Now()))
        .Run();
  })) << "make lease";
  return lease;
}

absl::Status Lease::Protect(absl::Span<const Digest> blobs,
                            absl::Span<const Digest> layers) {
  return metadata_->Write([&](Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(
        Statement insert,
        txn.database().Prepare("INSERT OR IGNORE INTO"
                               " lease_items(lease_id,kind,digest)"
                               " VALUES(?,?,?)"));
    const auto add = [&](LeaseItemKind kind, const Digest& digest) {
      insert.BindText(1, id_)
          .BindInt(2, static_cast<int>(kind))
          .BindText(3, digest.str());
      return insert.RunAndReset();
    };
    for (const Digest& digest : blobs) {
      CK_RETURN_IF_ERROR(add(LeaseItemKind::kBlob, digest));
    }
    for (const Digest& digest : layers) {
      CK_RETURN_IF_ERROR(add(LeaseItemKind::kLayer, digest));
    }
    return absl::OkStatus();
  });
}

absl::Status Lease::Release() {
  Metadata* const metadata = std::exchange(metadata_, nullptr);
  if (metadata == nullptr) return absl::OkStatus();
  if (absl::Status forked = layout_->CheckProcess(); !forked.ok()) {
    // The parent's lease: its lock is shared by fork(), so only close it.
    return forked;
  }
  const absl::Status status =
      metadata->Write([this](Txn& txn) { return DeleteLease(txn, id_); });
  unlinkat(layout_->leases_fd(), id_.c_str(), 0);
  sys::UnlockFd(fd_.get());
  fd_.Reset();
  return status;
}

absl::StatusOr<int> RemoveDeadLeases(const Layout& layout, Metadata& metadata) {
  CK_ASSIGN_OR_RETURN(std::vector<std::string> names,
                      sys::ListDirAt(layout.leases_fd(), "."));
  std::vector<TempEntry> dead;
  for (const std::string& name : names) {
    CK_ASSIGN_OR_RETURN(std::optional<TempEntry> entry,
                        ClaimDeadTemp(layout.leases_fd(), name));
    if (entry.has_value()) dead.push_back(*std::move(entry));
  }
  if (dead.empty()) return 0;
  CK_RETURN_IF_ERROR(metadata.Write([&dead](Txn& txn) -> absl::Status {
    for (const TempEntry& entry : dead) {
      CK_RETURN_IF_ERROR(DeleteLease(txn, entry.name));
    }
    return absl::OkStatus();
  })) << "remove dead leases";
  for (const TempEntry& entry : dead) {
    unlinkat(layout.leases_fd(), entry.name.c_str(), 0);
  }
  return static_cast<int>(dead.size());
}

}  // namespace containerkit::store
