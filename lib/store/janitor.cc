#include "lib/store/janitor.h"

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/sys/file_util.h"
#include "lib/sys/quiet_thread.h"

namespace containerkit::store {
namespace {

constexpr absl::Duration kGrace = absl::Milliseconds(100);

}  // namespace

Janitor::~Janitor() {
  std::thread thread;
  const bool forked = !layout_->CheckProcess().ok();
  if (!forked) {
    MutexLock lock(&mutex_);
    ending_ = true;
    deadline_ = absl::Now() + kGrace;
    changed_.SignalAll();
  }
  // In a forked child the thread does not exist, and mutex_ may be locked for
  // ever by it.
  thread = std::move(thread_);
  if (!thread.joinable()) return;
  if (forked) {
    new std::thread(std::move(thread));  // Neither joined nor destroyed.
  } else {
    thread.join();
  }
}

void Janitor::Wake() {
  if (!layout_->CheckProcess().ok()) return;
  MutexLock lock(&mutex_);
  work_ = true;
  if (thread_.joinable()) {
    changed_.SignalAll();
    return;
  }
  absl::StatusOr<std::thread> thread = sys::StartQuietThread([this] { Run(); });
  // Without a thread the trash waits for the next Store::Open().
  if (thread.ok()) thread_ = *std::move(thread);
}

bool Janitor::MustStop() {
  MutexLock lock(&mutex_);
  return absl::Now() > deadline_;
}

void Janitor::Run() {
  for (;;) {
    {
      MutexLock lock(&mutex_);
      while (!work_ && !ending_) changed_.Wait(&mutex_);
      if (!work_) return;
      work_ = false;
    }
    RemoveAll();
  }
}

void Janitor::RemoveAll() {
  const absl::StatusOr<std::vector<std::string>> names =
      sys::ListDirAt(layout_->trash_fd(), ".");
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    if (MustStop()) return;
    // What cannot be removed stays, for CheckStore() to tell.
    layout_->RemoveTrash(name).IgnoreError();
  }
}

}  // namespace containerkit::store
