// Removes what is in the trash, off everybody's critical path.
#ifndef CONTAINERKIT_LIB_STORE_JANITOR_H_
#define CONTAINERKIT_LIB_STORE_JANITOR_H_

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "lib/store/layout.h"

namespace containerkit::store {

// One thread, started by the first Wake() and asleep whenever the trash is
// empty. Unlinking can take milliseconds a directory (measured on ext4 with
// the `discard` option: 0.1 to 5 ms), which no container's removal should
// wait for.
//
// Thread-safe.
class Janitor {
 public:
  // `layout` must outlive the janitor.
  explicit Janitor(const Layout* layout) : layout_(layout) {}
  Janitor(const Janitor&) = delete;
  Janitor& operator=(const Janitor&) = delete;
  // Lets the thread go on for at most 100 ms, then ends it after the entry it
  // is at. What is left goes with the next Store::Open().
  ~Janitor();

  // There is something in the trash.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  bool MustStop() ABSL_LOCKS_EXCLUDED(mutex_);
  void RemoveAll();

  const Layout* const layout_;
  Mutex mutex_;
  CondVar changed_;
  bool work_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time deadline_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_JANITOR_H_
