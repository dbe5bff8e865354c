// Docker's list filters (docker ps --filter, docker images --filter) as pure
// functions. Values of one name are alternatives, different names must all
// hold; labels must all hold.
#ifndef CONTAINERKIT_LIB_ENGINE_FILTERS_H_
#define CONTAINERKIT_LIB_ENGINE_FILTERS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "containerkit/container.h"
#include "containerkit/engine.h"
#include "containerkit/image.h"

namespace containerkit::engine {

using Filters = std::multimap<std::string, std::string>;

// What the ancestor filter compares with.
struct ImageNames {
  std::vector<std::string> repo_tags;
  // Ids of the images that this one was made from, itself too.
  std::vector<std::string> ancestors;
};

// The containers that docker would list, newest first: running ones, unless
// `all`, a limit or a status filter asks for more. `images` by image id; may
// lack some, and may be empty without an ancestor filter.
//
// Filters: id (a prefix), name (a POSIX extended regular expression, with or
// without Docker's leading slash), label, status, exited, ancestor, before,
// since, health, is-task.
// Errors: INVALID_ARGUMENT / kInvalidArgument for an unknown filter or value;
//         UNIMPLEMENTED / kUnsupportedOption for network, volume, publish,
//         expose and isolation; NOT_FOUND / kContainerNotFound for before=
//         and since=.
absl::StatusOr<std::vector<ContainerInfo>> FilterContainers(
    std::vector<ContainerInfo> containers, const ContainerListOptions& options,
    const std::map<std::string, ImageNames>& images);

// The images that docker would list, newest first. With a reference filter
// only the names that match it are kept.
//
// Filters: dangling, label, before, since, reference (a glob over "name" or
// "name:tag"), until (a time, or a duration before `now`).
// Errors: INVALID_ARGUMENT / kInvalidArgument; NOT_FOUND / kImageNotFound for
//         before= and since=.
absl::StatusOr<std::vector<ImageSummary>> FilterImages(
    std::vector<ImageSummary> images, const ImageListOptions& options,
    absl::Time now);

}  // namespace containerkit::engine

#endif  // CONTAINERKIT_LIB_ENGINE_FILTERS_H_
