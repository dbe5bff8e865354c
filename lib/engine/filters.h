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

// What the network and volume filters compare with.
struct ContainerPlaces {
  std::vector<std::string> networks;  // names
  std::vector<std::string> mounts;    // sources and destinations
};

// What filters ask of images and containers beside a ContainerInfo. Each may
// lack some ids, and may be empty without its filter.
struct FilterFacts {
  std::map<std::string, ImageNames> images;       // ancestor
  std::map<std::string, ContainerPlaces> places;  // network and volume
};

// The containers that docker would list, newest first: running ones, unless
// `all`, a limit or a status filter asks for more.
//
// Filters: id (a prefix), name (a POSIX extended regular expression, with or
// without Docker's leading slash), label, status, exited, ancestor, before,
// since, health, is-task, network (a name), volume (a mount's source or
// destination).
// Errors: INVALID_ARGUMENT / kInvalidArgument for an unknown filter or value;
//         UNIMPLEMENTED / kUnsupportedOption for publish, expose and
//         isolation; NOT_FOUND / kContainerNotFound for before= and since=.
absl::StatusOr<std::vector<ContainerInfo>> FilterContainers(
    std::vector<ContainerInfo> containers, const ContainerListOptions& options,
    const FilterFacts& facts);

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
