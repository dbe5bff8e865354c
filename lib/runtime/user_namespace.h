// The user namespace of an ordinary user's containers, for work on their
// files from outside.
#ifndef CONTAINERKIT_LIB_RUNTIME_USER_NAMESPACE_H_
#define CONTAINERKIT_LIB_RUNTIME_USER_NAMESPACE_H_

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/launcher.h"

namespace containerkit::runtime {

// A namespace with the maps of RootlessIdMaps(), so with the owners that all
// rootless containers have by default. Made when first needed, through the
// helper; then only a descriptor, no process.
//
// Thread-safe. Must not outlive `launcher` and `facts`.
class UserNamespace {
 public:
  UserNamespace(Launcher* launcher, const HostFacts* facts)
      : launcher_(launcher), facts_(facts) {}
  UserNamespace(const UserNamespace&) = delete;
  UserNamespace& operator=(const UserNamespace&) = delete;

  // Calls `body` inside: see sys::InUserNamespace().
  //
  // Errors: those of `body`; as Launcher::Start(): kNamespaceFailed or
  //         kIdMapInvalid where there can be no such namespace.
  absl::Status Run(absl::FunctionRef<absl::Status()> body)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status Make() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Launcher* const launcher_;
  const HostFacts* const facts_;
  Mutex mutex_;
  // Once open it stays.
  UniqueFd namespace_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace containerkit::runtime

#endif  // CONTAINERKIT_LIB_RUNTIME_USER_NAMESPACE_H_
