// Names of scopes: they tell which process owns them, so that any other
// process can see whether the owner still lives.
#ifndef CONTAINERKIT_LIB_CONTAINER_SCOPE_ID_H_
#define CONTAINERKIT_LIB_CONTAINER_SCOPE_ID_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace containerkit::container {

// "<boot id>.<pid>.<start ticks>.<random>" of the calling process.
// Errors: as the system calls report them, when /proc cannot be read.
absl::StatusOr<std::string> NewScopeId();

// Whether the process that made the id is alive: same boot, same pid, same
// start time (proc(5), stat field 22). False for a text that is no scope id.
bool ScopeOwnerLives(absl::string_view scope_id);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_SCOPE_ID_H_
