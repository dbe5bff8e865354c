// Ends that nobody was there to hear.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "lib/base/unique_fd.h"
#include "lib/container/container_manager.h"

namespace containerkit::container {
namespace {

using runtime::ProcessSnapshot;
using runtime::ProcessState;

// The run whose end was told last; several engines may want to tell it.
constexpr char kToldFile[] = "told";

// True for exactly one caller a run, whatever its process.
bool IsFirstToTell(int directory_fd, const std::string& run) {
  const UniqueFd fd(openat(directory_fd, kToldFile,
                           O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.ok() || flock(fd.get(), LOCK_EX) != 0) return false;
  char told[32];
  const ssize_t size = pread(fd.get(), told, sizeof told, 0);
  if (size == static_cast<ssize_t>(run.size()) &&
      run.compare(0, run.size(), told, size) == 0) {
    return false;
  }
  return ftruncate(fd.get(), 0) == 0 &&
         pwrite(fd.get(), run.data(), run.size(), 0) ==
             static_cast<ssize_t>(run.size());
}

}  // namespace

void ContainerManager::TellDeath(const std::string& id) {
  const absl::StatusOr<UniqueFd> directory = OpenDirectory(id);
  if (!directory.ok()) return;
  const absl::StatusOr<ProcessSnapshot> process =
      runtime::ReadProcessState(directory->get());
  if (!process.ok()) return;
  const bool lost = process->state == ProcessState::kLost;
  if (!lost && (process->state != ProcessState::kExited || !process->untold)) {
    return;
  }
  if (!IsFirstToTell(directory->get(), absl::StrCat(process->started_ns))) {
    return;
  }
  // Of one whose monitor was killed nobody knows when it ended.
  const absl::Time ended =
      lost ? absl::Now() : absl::FromUnixNanos(process->finished_ns);
  if (process->oom_untold) Emit(id, "oom", {}, ended);
  Emit(id, "die", {{"exitCode", absl::StrCat(lost ? 137 : process->exit_code)}},
       ended);
}

void ContainerManager::TellDeaths() {
  const absl::StatusOr<std::vector<std::string>> ids = ListIds();
  if (!ids.ok()) return;
  for (const std::string& id : *ids) TellDeath(id);
}

}  // namespace containerkit::container
