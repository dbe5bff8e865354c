// What is behind the answers of calls on images.
#ifndef CONTAINERKIT_CAPI_SRC_IMAGE_INFO_H_
#define CONTAINERKIT_CAPI_SRC_IMAGE_INFO_H_

#include <vector>

#include "capi/src/handle.h"
#include "capi/src/strings.h"
#include "containerkit/c/image.h"
#include "containerkit/image.h"

namespace containerkit::capi {

// The lists of `info` are moved to the handles.
struct ImageInfoPayload {
  ImageInfo info;
  Owned<ck_string_list> repo_tags;
  Owned<ck_string_list> repo_digests;
  Owned<ck_string_map> labels;
  Owned<ck_string_list> env;
  Owned<ck_string_list> entrypoint;
  Owned<ck_string_list> command;
  Owned<ck_string_list> exposed_ports;
  Owned<ck_string_list> volumes;
  Owned<ck_string_list> layers;
};

struct ImageListPayload {
  std::vector<Owned<ck_image_info>> images;
};

struct ImageRemovalPayload {
  Owned<ck_string_list> untagged;
  Owned<ck_string_list> deleted;
};

CK_HANDLE_TRAITS(ck_image_info, ImageInfoPayload, kImageInfo);
CK_HANDLE_TRAITS(ck_pull_progress, PullProgress, kPullProgress);
CK_HANDLE_TRAITS(ck_image_list, ImageListPayload, kImageList);
CK_HANDLE_TRAITS(ck_image_history, std::vector<ImageHistoryEntry>,
                 kImageHistory);
CK_HANDLE_TRAITS(ck_image_removal, ImageRemovalPayload, kImageRemoval);

Owned<ck_image_info> MakeImageInfo(ImageInfo info);

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_IMAGE_INFO_H_
