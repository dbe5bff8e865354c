#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "containerkit/image.h"
#include "lib/base/status.h"
#include "lib/engine/engine_core.h"

namespace containerkit {

Images::Images(std::shared_ptr<engine::EngineCore> core)
    : core_(std::move(core)) {}

absl::StatusOr<ImageInfo> Images::Pull(const std::string& reference,
                                       const PullOptions& options) {
  CK_ASSIGN_OR_RETURN(ImageInfo image,
                      core_->images().Pull(reference, options));
  core_->EmitImage("pull", image.summary.id, reference);
  return image;
}

absl::StatusOr<std::vector<std::string>> Images::ListTags(
    const std::string& repository, const TagListOptions& options) {
  return core_->images().ListTags(repository, options);
}

absl::StatusOr<std::vector<std::string>> Images::Load(
    const std::string& path, const ImageLoadOptions& options) {
  CK_ASSIGN_OR_RETURN(std::vector<std::string> names,
                      core_->images().Load(path, options));
  for (const std::string& name : names) core_->EmitImage("load", name, name);
  return names;
}

absl::StatusOr<std::vector<std::string>> Images::LoadFd(
    int fd, const ImageLoadOptions& options) {
  CK_ASSIGN_OR_RETURN(std::vector<std::string> names,
                      core_->images().LoadFd(fd, options));
  for (const std::string& name : names) core_->EmitImage("load", name, name);
  return names;
}

absl::StatusOr<std::string> Images::Import(int fd,
                                           const ImageImportOptions& options) {
  CK_ASSIGN_OR_RETURN(std::string id, core_->images().Import(fd, options));
  core_->EmitImage("import", id, options.reference);
  return id;
}

absl::StatusOr<std::vector<ImageSummary>> Images::List(
    const ImageListOptions& options) {
  return core_->ListImages(options);
}

absl::StatusOr<ImageInfo> Images::Inspect(const std::string& name) {
  return core_->images().Inspect(name);
}

absl::StatusOr<std::vector<ImageHistoryEntry>> Images::History(
    const std::string& name) {
  return core_->images().History(name);
}

absl::Status Images::Tag(const std::string& name, const std::string& target) {
  CK_RETURN_IF_ERROR(core_->images().Tag(name, target));
  core_->EmitImage("tag", name, target);
  return absl::OkStatus();
}

absl::StatusOr<ImageRemoval> Images::Remove(const std::string& name,
                                            const ImageRemoveOptions& options) {
  CK_ASSIGN_OR_RETURN(ImageRemoval removal,
                      core_->images().Remove(name, options));
  for (const std::string& tag : removal.untagged) {
    core_->EmitImage("untag", tag, tag);
  }
  for (const std::string& id : removal.deleted) {
    core_->EmitImage("delete", id, id);
  }
  if (!removal.deleted.empty()) {
    CK_RETURN_IF_ERROR(core_->CollectGarbage().status());
  }
  return removal;
}

absl::StatusOr<ImageRemoval> Images::Prune(bool all, bool dry_run) {
  CK_ASSIGN_OR_RETURN(ImageRemoval removal,
                      core_->images().Prune(all, dry_run));
  if (!dry_run) {
    CK_RETURN_IF_ERROR(core_->CollectGarbage().status());
  }
  return removal;
}

}  // namespace containerkit
