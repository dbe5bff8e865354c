#include "lib/image/catalog.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"

namespace containerkit::image {
namespace {

constexpr char kFind[] = "image.find";
constexpr char kRemove[] = "image.remove";
constexpr int kTries = 3;

bool IsHex(absl::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

absl::Status NoSuchImage(absl::string_view name) {
  return MakeError(
      absl::StatusCode::kNotFound,
      absl::StrCat("no such image: ", absl::CHexEscape(name.substr(0, 300))),
      {.reason = Reason::kImageNotFound,
       .operation = kFind,
       .object_kind = "image",
       .object_id = std::string(name.substr(0, 300))});
}

absl::StatusOr<FoundImage> WithReferences(
    const store::Txn& txn, absl::StatusOr<store::ImageRecord> record,
    std::string by_reference) {
  CK_RETURN_IF_ERROR(record.status());
  FoundImage found = {.record = *std::move(record),
                      .by_reference = std::move(by_reference)};
  CK_ASSIGN_OR_RETURN(found.references, txn.ListReferences(found.record.id()));
  return found;
}

// The names under which a reference may be stored. With tag and digest the
// digest counts.
std::string StoredName(const oci::ImageRef& ref) {
  return ref.digest().empty() ? ref.ToString()
                              : ref.WithDigest(ref.digest()).ToString();
}

bool IsTagName(absl::string_view name) { return !absl::StrContains(name, "@"); }

std::string Familiar(absl::string_view name) {
  const absl::StatusOr<oci::ImageRef> ref = oci::ImageRef::Parse(name);
  return ref.ok() ? ref->Familiar() : std::string(name);
}

std::vector<std::string> Names(const FoundImage& image, bool tags) {
  std::vector<std::string> names;
  for (const store::ReferenceRecord& reference : image.references) {
    if (IsTagName(reference.name()) == tags) {
      names.push_back(Familiar(reference.name()));
    }
  }
  return names;
}

std::string RepositoryOf(absl::string_view name) {
  const absl::StatusOr<oci::ImageRef> ref = oci::ImageRef::Parse(name);
  return ref.ok() ? ref->Repository() : std::string(name);
}

// What taking names off leaves.
struct RemovalPlan {
  std::vector<std::string> names;
  bool delete_image = false;
};

absl::StatusOr<RemovalPlan> PlanRemoval(const FoundImage& image, bool force) {
  RemovalPlan plan;
  std::set<std::string> repositories;
  size_t tags = 0;
  for (const store::ReferenceRecord& reference : image.references) {
    repositories.insert(RepositoryOf(reference.name()));
    if (IsTagName(reference.name())) ++tags;
  }
  if (image.by_reference.empty()) {
    if (repositories.size() > 1 && !force) {
      return MakeError(absl::StatusCode::kFailedPrecondition,
                       absl::StrCat("image ", image.record.id(),
                                    " has names in several repositories"),
                       {.reason = Reason::kImageInUse,
                        .operation = kRemove,
                        .object_kind = "image",
                        .object_id = image.record.id(),
                        .hint = "remove it by name, or force the removal"});
    }
    plan.delete_image = true;
  } else {
    const bool is_tag = IsTagName(image.by_reference);
    // By its last tag, or, without any tag, by its last digest.
    plan.delete_image =
        is_tag ? tags == 1 : tags == 0 && image.references.size() == 1;
  }
  for (const store::ReferenceRecord& reference : image.references) {
    if (plan.delete_image || reference.name() == image.by_reference) {
      plan.names.push_back(reference.name());
    }
  }
  return plan;
}

absl::Status InUse(const store::ImageRecord& image,
                   const store::ContainerRow& container) {
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat("image ", image.id(), " is used by container ",
                                container.id),
                   {.reason = Reason::kImageInUse,
                    .operation = kRemove,
                    .object_kind = "container",
                    .object_id = container.id,
                    .hint = "remove the container, or force the removal"});
}

// Carries out a plan, and writes down what it did.
absl::Status Apply(store::Txn& txn, const FoundImage& image,
                   const RemovalPlan& plan, bool force, ImageRemoval& removal) {
  if (plan.delete_image && !force) {
    CK_ASSIGN_OR_RETURN(const std::vector<store::ContainerRow> users,
                        txn.ListContainers({.image_id = image.record.id()}));
    if (!users.empty()) return InUse(image.record, users[0]);
  }
  for (const std::string& name : plan.names) {
    CK_RETURN_IF_ERROR(txn.RemoveReference(name).status());
    removal.untagged.push_back(Familiar(name));
  }
  if (plan.delete_image) {
    CK_RETURN_IF_ERROR(txn.RemoveImage(image.record.id(), force));
    removal.deleted.push_back(image.record.id());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FoundImage> FindImage(const store::Txn& txn,
                                     absl::string_view name) {
  const absl::string_view hex = absl::StripPrefix(name, "sha256:");
  const bool prefixed = hex.size() != name.size();
  if (IsHex(hex) && (hex.size() == 64 || prefixed)) {
    auto record = txn.FindImage(hex);
    if (absl::IsNotFound(record.status())) return NoSuchImage(name);
    return WithReferences(txn, std::move(record), "");
  }
  const absl::StatusOr<oci::ImageRef> ref = oci::ImageRef::Parse(name);
  if (ref.ok()) {
    const std::string stored = StoredName(*ref);
    const auto reference = txn.GetReference(stored);
    if (reference.ok()) {
      return WithReferences(txn, txn.GetImage(reference->image_id()), stored);
    }
    if (!absl::IsNotFound(reference.status())) return reference.status();
  }
  if (IsHex(name)) {
    auto record = txn.FindImage(name);
    if (!absl::IsNotFound(record.status())) {
      return WithReferences(txn, std::move(record), "");
    }
  }
  CK_RETURN_IF_ERROR(ref.status());
  return NoSuchImage(name);
}

std::vector<std::string> RepoTags(const FoundImage& image) {
  return Names(image, /*tags=*/true);
}

std::vector<std::string> RepoDigests(const FoundImage& image) {
  return Names(image, /*tags=*/false);
}

absl::StatusOr<oci::ImageConfig> ReadConfig(store::Store& store,
                                            const store::ImageRecord& image) {
  CK_ASSIGN_OR_RETURN(const Digest id, Digest::Parse(image.id()), "image id");
  absl::StatusOr<std::string> bytes =
      store.blobs().Read(id, oci::kMaxImageConfigBytes);
  for (int i = 0; i < kTries && absl::IsNotFound(bytes.status()); ++i) {
    // Removed since `image` was read, and maybe made again.
    const absl::Status there = store.Read([&](const store::Txn& txn) {
      return txn.GetImage(image.id()).status();
    });
    if (absl::IsNotFound(there)) return NoSuchImage(image.id());
    CK_RETURN_IF_ERROR(there);
    bytes = store.blobs().Read(id, oci::kMaxImageConfigBytes);
  }
  CK_RETURN_IF_ERROR(bytes.status()) << "read config of image " << image.id();
  return oci::ParseImageConfig(*bytes);
}

absl::Status PutName(store::Txn& txn, const std::string& name,
                     const std::string& image_id,
                     const store::Descriptor* target) {
  store::ReferenceRecord reference;
  reference.set_name(name);
  reference.set_image_id(image_id);
  reference.set_updated_ns(absl::ToUnixNanos(absl::Now()));
  if (target != nullptr) *reference.mutable_target() = *target;
  return txn.PutReference(reference);
}

absl::Status TagImage(store::Store& store, absl::string_view name,
                      absl::string_view target) {
  CK_ASSIGN_OR_RETURN(const oci::ImageRef ref, oci::ImageRef::Parse(target));
  if (ref.tag().empty() || !ref.digest().empty()) {
    return InvalidArgument(
        Reason::kInvalidReference, "image.tag",
        absl::StrCat("\"", ref.Familiar(), "\" is not a name with a tag"));
  }
  return store.Transaction([&](store::Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(const FoundImage image, FindImage(txn, name));
    return PutName(
        txn, ref.ToString(), image.record.id(),
        image.record.has_manifest() ? &image.record.manifest() : nullptr);
  });
}

absl::StatusOr<ImageRemoval> RemoveImage(store::Store& store,
                                         absl::string_view name, bool force) {
  ImageRemoval removal;
  CK_RETURN_IF_ERROR(store.Transaction([&](store::Txn& txn) -> absl::Status {
    removal = {};
    CK_ASSIGN_OR_RETURN(const FoundImage image, FindImage(txn, name));
    CK_ASSIGN_OR_RETURN(const RemovalPlan plan, PlanRemoval(image, force));
    return Apply(txn, image, plan, force, removal);
  })) << "remove image "
      << absl::CHexEscape(name.substr(0, 300));
  return removal;
}

absl::StatusOr<ImageRemoval> PruneImages(store::Store& store, bool all,
                                         bool dry_run) {
  ImageRemoval removal;
  CK_RETURN_IF_ERROR(store.Transaction([&](store::Txn& txn) -> absl::Status {
    removal = {};
    CK_ASSIGN_OR_RETURN(const std::vector<store::ImageRecord> images,
                        txn.ListImages());
    for (const store::ImageRecord& record : images) {
      CK_ASSIGN_OR_RETURN(const FoundImage image,
                          WithReferences(txn, record, ""));
      if (!all && !RepoTags(image).empty()) continue;
      CK_ASSIGN_OR_RETURN(const std::vector<store::ContainerRow> users,
                          txn.ListContainers({.image_id = record.id()}));
      if (!users.empty()) continue;
      CK_ASSIGN_OR_RETURN(const RemovalPlan plan,
                          PlanRemoval(image, /*force=*/true));
      if (!dry_run) {
        CK_RETURN_IF_ERROR(Apply(txn, image, plan, /*force=*/false, removal));
        continue;
      }
      for (const std::string& reference : plan.names) {
        removal.untagged.push_back(Familiar(reference));
      }
      removal.deleted.push_back(record.id());
    }
    return absl::OkStatus();
  })) << "prune images";
  return removal;
}

}  // namespace containerkit::image
