#include "capi/src/image_info.h"

#include <memory>
#include <string>
#include <utility>

namespace containerkit::capi {

Owned<ck_image_info> MakeImageInfo(ImageInfo info) {
  auto payload = std::make_unique<ImageInfoPayload>();
  ImageSummary& summary = info.summary;
  payload->repo_tags = MakeStringList(std::move(summary.repo_tags));
  payload->repo_digests = MakeStringList(std::move(summary.repo_digests));
  payload->labels = MakeStringMap(std::move(summary.labels));
  payload->env = MakeStringList(std::move(info.env));
  payload->entrypoint = MakeStringList(std::move(info.entrypoint));
  payload->command = MakeStringList(std::move(info.command));
  payload->exposed_ports = MakeStringList(std::move(info.exposed_ports));
  payload->volumes = MakeStringList(std::move(info.volumes));
  payload->layers = MakeStringList(std::move(info.layers));
  payload->info = std::move(info);
  return Owned<ck_image_info>(NewHandle<ck_image_info>(std::move(payload)));
}

}  // namespace containerkit::capi

using ::containerkit::ImageHistoryEntry;
using ::containerkit::PullProgress;
using ::containerkit::capi::Pinned;
using ::containerkit::capi::ToUnixNs;

CK_DEFINE_HANDLE(ck_image_info)
CK_DEFINE_STRING(ck_image_info, id, p.info.summary.id)
CK_DEFINE_VALUE(ck_image_info, repo_tags, const ck_string_list*,
                p.repo_tags.get())
CK_DEFINE_VALUE(ck_image_info, repo_digests, const ck_string_list*,
                p.repo_digests.get())
CK_DEFINE_VALUE(ck_image_info, created_ns, int64_t,
                ToUnixNs(p.info.summary.created))
CK_DEFINE_VALUE(ck_image_info, size_bytes, uint64_t, p.info.summary.size_bytes)
CK_DEFINE_VALUE(ck_image_info, labels, const ck_string_map*, p.labels.get())
CK_DEFINE_VALUE(ck_image_info, containers, int64_t, p.info.summary.containers)
CK_DEFINE_STRING(ck_image_info, architecture, p.info.architecture)
CK_DEFINE_STRING(ck_image_info, os, p.info.os)
CK_DEFINE_STRING(ck_image_info, variant, p.info.variant)
CK_DEFINE_STRING(ck_image_info, author, p.info.author)
CK_DEFINE_STRING(ck_image_info, user, p.info.user)
CK_DEFINE_STRING(ck_image_info, working_dir, p.info.working_dir)
CK_DEFINE_STRING(ck_image_info, stop_signal, p.info.stop_signal)
CK_DEFINE_VALUE(ck_image_info, env, const ck_string_list*, p.env.get())
CK_DEFINE_VALUE(ck_image_info, entrypoint, const ck_string_list*,
                p.entrypoint.get())
CK_DEFINE_VALUE(ck_image_info, command, const ck_string_list*, p.command.get())
CK_DEFINE_VALUE(ck_image_info, exposed_ports, const ck_string_list*,
                p.exposed_ports.get())
CK_DEFINE_VALUE(ck_image_info, volumes, const ck_string_list*, p.volumes.get())
CK_DEFINE_VALUE(ck_image_info, layers, const ck_string_list*, p.layers.get())
CK_DEFINE_STRING(ck_image_info, json, p.info.json)

#define CK_SAME_PHASE(name, phase) \
  static_assert(static_cast<int>(PullProgress::Phase::phase) == (name))
CK_SAME_PHASE(CK_PULL_RESOLVING, kResolving);
CK_SAME_PHASE(CK_PULL_WAITING, kWaiting);
CK_SAME_PHASE(CK_PULL_DOWNLOADING, kDownloading);
CK_SAME_PHASE(CK_PULL_EXTRACTING, kExtracting);
CK_SAME_PHASE(CK_PULL_EXISTS, kExists);
CK_SAME_PHASE(CK_PULL_DONE, kDone);
CK_SAME_PHASE(CK_PULL_RETRYING, kRetrying);
#undef CK_SAME_PHASE

CK_DEFINE_HANDLE(ck_pull_progress)
CK_DEFINE_VALUE(ck_pull_progress, phase, int32_t, static_cast<int32_t>(p.phase))
CK_DEFINE_STRING(ck_pull_progress, layer_id, p.layer_id)
CK_DEFINE_VALUE(ck_pull_progress, current_bytes, uint64_t, p.current_bytes)
CK_DEFINE_VALUE(ck_pull_progress, total_bytes, uint64_t, p.total_bytes)
CK_DEFINE_STRING(ck_pull_progress, message, p.message)

CK_DEFINE_HANDLE(ck_image_list)
CK_DEFINE_VALUE(ck_image_list, size, size_t, p.images.size())

const ck_image_info* ck_image_list_at(const ck_image_list* self, size_t index) {
  Pinned<ck_image_list> list(self);
  return list.ok() && index < list->images.size() ? list->images[index].get()
                                                  : nullptr;
}

CK_DEFINE_HANDLE(ck_image_removal)
CK_DEFINE_VALUE(ck_image_removal, untagged, const ck_string_list*,
                p.untagged.get())
CK_DEFINE_VALUE(ck_image_removal, deleted, const ck_string_list*,
                p.deleted.get())

namespace {

// The step at `index`; nullptr beyond the end. Lives as long as the handle.
const ImageHistoryEntry* StepAt(const ck_image_history* self, size_t index) {
  Pinned<ck_image_history> history(self);
  return history.ok() && index < history->size() ? &(*history)[index] : nullptr;
}

}  // namespace

CK_DEFINE_HANDLE(ck_image_history)
CK_DEFINE_VALUE(ck_image_history, size, size_t, p.size())

int64_t ck_image_history_created_ns_at(const ck_image_history* self,
                                       size_t index) {
  const ImageHistoryEntry* step = StepAt(self, index);
  return step == nullptr ? 0 : ToUnixNs(step->created);
}

const char* ck_image_history_created_by_at(const ck_image_history* self,
                                           size_t index) {
  const ImageHistoryEntry* step = StepAt(self, index);
  return step == nullptr ? nullptr : step->created_by.c_str();
}

const char* ck_image_history_comment_at(const ck_image_history* self,
                                        size_t index) {
  const ImageHistoryEntry* step = StepAt(self, index);
  return step == nullptr ? nullptr : step->comment.c_str();
}

uint64_t ck_image_history_size_bytes_at(const ck_image_history* self,
                                        size_t index) {
  const ImageHistoryEntry* step = StepAt(self, index);
  return step == nullptr ? 0 : step->size_bytes;
}

uint8_t ck_image_history_empty_layer_at(const ck_image_history* self,
                                        size_t index) {
  const ImageHistoryEntry* step = StepAt(self, index);
  return step != nullptr && step->empty_layer ? 1 : 0;
}
