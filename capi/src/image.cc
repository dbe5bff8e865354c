#include "containerkit/c/image.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "capi/src/callback.h"
#include "capi/src/cancel.h"
#include "capi/src/engine.h"
#include "capi/src/guard.h"
#include "capi/src/image_info.h"
#include "capi/src/options.h"
#include "capi/src/strings.h"
#include "containerkit/image.h"

using ::containerkit::CancelToken;
using ::containerkit::ImageHistoryEntry;
using ::containerkit::ImageImportOptions;
using ::containerkit::ImageInfo;
using ::containerkit::ImageListOptions;
using ::containerkit::ImageLoadOptions;
using ::containerkit::ImageRemoval;
using ::containerkit::ImageSummary;
using ::containerkit::PullOptions;
using ::containerkit::PullProgress;
using ::containerkit::RegistryCredentials;
using ::containerkit::TagListOptions;
using ::containerkit::capi::Callbacks;
using ::containerkit::capi::CallState;
using ::containerkit::capi::CheckString;
using ::containerkit::capi::CheckStrings;
using ::containerkit::capi::ClearOut;
using ::containerkit::capi::FiltersOf;
using ::containerkit::capi::Guard;
using ::containerkit::capi::ImageListPayload;
using ::containerkit::capi::IsReadable;
using ::containerkit::capi::LinkedCancel;
using ::containerkit::capi::MakeHandle;
using ::containerkit::capi::MakeImageInfo;
using ::containerkit::capi::MakeString;
using ::containerkit::capi::MakeStringList;
using ::containerkit::capi::NewHandle;
using ::containerkit::capi::Owned;
using ::containerkit::capi::Pin;
using ::containerkit::capi::Pinned;
using ::containerkit::capi::StringList;
using ::containerkit::capi::TokenOf;
using ::containerkit::capi::ToList;
using ::containerkit::capi::ToString;
using ::containerkit::capi::UserData;

CK_DEFINE_OPTIONS(ck_image_pull_options, CK_IMAGE_PULL_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_image_load_options, CK_IMAGE_LOAD_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_image_import_options, CK_IMAGE_IMPORT_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_image_list_query_options, CK_IMAGE_LIST_QUERY_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_image_inspect_options, CK_IMAGE_INSPECT_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_image_read_history_options,
                  CK_IMAGE_READ_HISTORY_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_image_tag_options, CK_IMAGE_TAG_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_image_remove_options, CK_IMAGE_REMOVE_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_image_prune_options, CK_IMAGE_PRUNE_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_image_list_tags_options, CK_IMAGE_LIST_TAGS_OPTIONS_INIT)

namespace {

ck_image_removal* MakeRemoval(ImageRemoval removal) {
  return MakeHandle<ck_image_removal>(
      MakeStringList(std::move(removal.untagged)),
      MakeStringList(std::move(removal.deleted)));
}

// Of options that name them; nullopt: they do not.
template <typename Options>
std::optional<RegistryCredentials> CredentialsOf(const Options& o) {
  if (o.username == nullptr && o.password == nullptr &&
      o.identity_token == nullptr) {
    return std::nullopt;
  }
  return RegistryCredentials{.username = ToString(o.username),
                             .password = ToString(o.password),
                             .identity_token = ToString(o.identity_token)};
}

absl::StatusOr<ImageLoadOptions> ToLoadOptions(const ck_image_load_options& o) {
  ImageLoadOptions load;
  load.platform = ToString(o.platform);
  CK_ASSIGN_OR_RETURN(load.cancel, TokenOf(o.cancel));
  return load;
}

PullOptions ToPullOptions(const ck_image_pull_options& o,
                          const CancelToken& cancel) {
  PullOptions pull;
  pull.platform = ToString(o.platform);
  pull.credentials = CredentialsOf(o);
  if (o.parallel_layers != 0) {
    pull.parallel_layers = static_cast<int>(o.parallel_layers);
  }
  pull.cancel = cancel;
  return pull;
}

}  // namespace

ck_status ck_image_pull(ck_engine* engine, const char* reference,
                        const ck_image_pull_options* options,
                        ck_image_info** out, ck_error** err) {
  return Guard(err, [&](CallState& call) -> absl::Status {
    const bool readable =
        IsReadable(options, CK_SIZE_0_1(ck_image_pull_options));
    const UserData data(
        readable ? options->progress_user_data : nullptr,
        readable ? options->progress_user_data_release : nullptr);
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_image_pull_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    CK_RETURN_IF_ERROR(CheckString(reference, "reference"));
    if (o.parallel_layers > 64) {
      return containerkit::InvalidArgument(containerkit::Reason::kLimitExceeded,
                                           "capi.options",
                                           "parallel_layers is above 64");
    }
    CK_ASSIGN_OR_RETURN(LinkedCancel cancel, LinkedCancel::Create(o.cancel));
    PullOptions pull = ToPullOptions(o, cancel.token());
    Callbacks callbacks;
    if (o.progress != nullptr) {
      pull.progress = [&](const PullProgress& progress) {
        if (callbacks.ended()) return;
        const bool go_on = callbacks.Run([&] {
          Owned<ck_pull_progress> handle(
              MakeHandle<ck_pull_progress>(progress));
          return o.progress(data.get(), handle.get());
        });
        if (!go_on) cancel.token().Cancel();
      };
    }
    absl::StatusOr<ImageInfo> info = pinned->images().Pull(reference, pull);
    CK_RETURN_IF_ERROR(callbacks.Outcome(info.status(), call));
    *out = MakeImageInfo(*std::move(info)).release();
    return absl::OkStatus();
  });
}

ck_status ck_image_list_tags(ck_engine* engine, const char* repository,
                             const ck_image_list_tags_options* options,
                             ck_string_list** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_image_list_tags_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    CK_RETURN_IF_ERROR(CheckString(repository, "repository"));
    TagListOptions list;
    list.credentials = CredentialsOf(o);
    CK_ASSIGN_OR_RETURN(list.cancel, TokenOf(o.cancel));
    CK_ASSIGN_OR_RETURN(StringList tags,
                        pinned->images().ListTags(repository, list));
    *out = MakeStringList(std::move(tags)).release();
    return absl::OkStatus();
  });
}

ck_status ck_image_load(ck_engine* engine, const char* path,
                        const ck_image_load_options* options,
                        ck_string_list** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_image_load_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    CK_RETURN_IF_ERROR(CheckString(path, "path"));
    CK_ASSIGN_OR_RETURN(const ImageLoadOptions load, ToLoadOptions(o));
    CK_ASSIGN_OR_RETURN(StringList names, pinned->images().Load(path, load));
    *out = MakeStringList(std::move(names)).release();
    return absl::OkStatus();
  });
}

ck_status ck_image_load_fd(ck_engine* engine, int32_t archive_fd,
                           const ck_image_load_options* options,
                           ck_string_list** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_image_load_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    CK_ASSIGN_OR_RETURN(const ImageLoadOptions load, ToLoadOptions(o));
    CK_ASSIGN_OR_RETURN(StringList names,
                        pinned->images().LoadFd(archive_fd, load));
    *out = MakeStringList(std::move(names)).release();
    return absl::OkStatus();
  });
}

ck_status ck_image_import(ck_engine* engine, int32_t archive_fd,
                          const ck_image_import_options* options,
                          ck_string** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_image_import_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    CK_RETURN_IF_ERROR(CheckStrings(o.changes, o.changes_count, "changes"));
    ImageImportOptions import;
    import.reference = ToString(o.reference);
    import.message = ToString(o.message);
    import.changes = ToList(o.changes, o.changes_count);
    import.platform = ToString(o.platform);
    CK_ASSIGN_OR_RETURN(import.cancel, TokenOf(o.cancel));
    CK_ASSIGN_OR_RETURN(std::string id,
                        pinned->images().Import(archive_fd, import));
    *out = MakeString(std::move(id)).release();
    return absl::OkStatus();
  });
}

ck_status ck_image_list_query(ck_engine* engine,
                              const ck_image_list_query_options* options,
                              ck_image_list** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_image_list_query_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    ImageListOptions list;
    list.all = o.all != 0;
    CK_ASSIGN_OR_RETURN(list.filters, FiltersOf(o.filters));
    CK_ASSIGN_OR_RETURN(std::vector<ImageSummary> images,
                        pinned->images().List(list));
    ImageListPayload payload;
    for (ImageSummary& image : images) {
      ImageInfo info;
      info.summary = std::move(image);
      payload.images.push_back(MakeImageInfo(std::move(info)));
    }
    *out = MakeHandle<ck_image_list>(std::move(payload));
    return absl::OkStatus();
  });
}

ck_status ck_image_inspect(ck_engine* engine, const char* name,
                           const ck_image_inspect_options* options,
                           ck_image_info** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_RETURN_IF_ERROR(Adopt(options).status());
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    CK_RETURN_IF_ERROR(CheckString(name, "name"));
    CK_ASSIGN_OR_RETURN(ImageInfo info, pinned->images().Inspect(name));
    *out = MakeImageInfo(std::move(info)).release();
    return absl::OkStatus();
  });
}

ck_status ck_image_read_history(ck_engine* engine, const char* name,
                                const ck_image_read_history_options* options,
                                ck_image_history** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_RETURN_IF_ERROR(Adopt(options).status());
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    CK_RETURN_IF_ERROR(CheckString(name, "name"));
    CK_ASSIGN_OR_RETURN(std::vector<ImageHistoryEntry> history,
                        pinned->images().History(name));
    *out = NewHandle<ck_image_history>(
        std::make_unique<std::vector<ImageHistoryEntry>>(std::move(history)));
    return absl::OkStatus();
  });
}

ck_status ck_image_tag(ck_engine* engine, const char* name, const char* target,
                       const ck_image_tag_options* options, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(Adopt(options).status());
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    CK_RETURN_IF_ERROR(CheckString(name, "name"));
    CK_RETURN_IF_ERROR(CheckString(target, "target"));
    return pinned->images().Tag(name, target);
  });
}

ck_status ck_image_remove(ck_engine* engine, const char* name,
                          const ck_image_remove_options* options,
                          ck_image_removal** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    if (out != nullptr) *out = nullptr;
    CK_ASSIGN_OR_RETURN(const ck_image_remove_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    CK_RETURN_IF_ERROR(CheckString(name, "name"));
    CK_ASSIGN_OR_RETURN(ImageRemoval removal,
                        pinned->images().Remove(name, {.force = o.force != 0}));
    if (out != nullptr) *out = MakeRemoval(std::move(removal));
    return absl::OkStatus();
  });
}

ck_status ck_image_prune(ck_engine* engine,
                         const ck_image_prune_options* options,
                         ck_image_removal** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    if (out != nullptr) *out = nullptr;
    CK_ASSIGN_OR_RETURN(const ck_image_prune_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_engine> pinned, Pin(engine));
    CK_ASSIGN_OR_RETURN(ImageRemoval removal,
                        pinned->images().Prune(o.all != 0, o.dry_run != 0));
    if (out != nullptr) *out = MakeRemoval(std::move(removal));
    return absl::OkStatus();
  });
}
