// The state directory of ck-oci: <root>/<id>, one a container.
//
//   state.json    OciRecord, replaced whole
//   config.json   the bundle's config as it was when the container was made
//   exec.fifo     there until the program was started
//
// The directory itself is flock'ed by whoever changes the container, so there
// is no lock file to leave behind. A directory without state.json and without
// a lock is what a killed `create` left; Create() takes it over.
#ifndef CONTAINERKIT_LIB_CONTAINER_OCI_DIRECTORY_H_
#define CONTAINERKIT_LIB_CONTAINER_OCI_DIRECTORY_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"
#include "lib/container/oci_record.h"

namespace containerkit::container {

// Ids are [A-Za-z0-9_+.-]+, at most 255 bytes, other than "." and "..".
//
// Errors: INVALID_ARGUMENT / kInvalidName.
absl::Status CheckOciId(absl::string_view id);

// An open state directory. Move-only; one thread at a time.
class OciDirectory {
 public:
  // Makes <root>/<id>, and root when absent, and locks it.
  //
  // Errors: INVALID_ARGUMENT / kInvalidName; ALREADY_EXISTS / kNameInUse.
  static absl::StatusOr<OciDirectory> Create(const std::string& root,
                                             const std::string& id);

  // Opens <root>/<id>. With `lock`, waits for the lock at most ten seconds.
  //
  // Errors: INVALID_ARGUMENT / kInvalidName; NOT_FOUND / kContainerNotFound;
  //         UNAVAILABLE / kStoreBusy.
  static absl::StatusOr<OciDirectory> Open(const std::string& root,
                                           const std::string& id, bool lock);

  // The ids under root that have a state, sorted. A missing root has none.
  static absl::StatusOr<std::vector<std::string>> List(const std::string& root);

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }

  // Errors: NOT_FOUND / kContainerNotFound without a state.
  absl::StatusOr<OciRecord> ReadRecord() const;
  absl::Status WriteRecord(const OciRecord& record) const;

  // The saved config.
  absl::StatusOr<std::string> ReadConfig() const;
  absl::Status WriteConfig(absl::string_view json) const;

  // Makes exec.fifo; its path.
  absl::StatusOr<std::string> MakeFifo() const;
  // Opens exec.fifo for reading without waiting; nullopt when there is none.
  absl::StatusOr<std::optional<UniqueFd>> OpenFifo() const;
  bool HasFifo() const;
  void RemoveFifo() const;

  // Removes the directory and all in it.
  absl::Status Remove();

 private:
  OciDirectory(std::string root, std::string id, UniqueFd fd);

  std::string root_;
  std::string id_;
  std::string path_;
  UniqueFd fd_;
};

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_OCI_DIRECTORY_H_
