// The optional first process of a container: reaps, forwards signals.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_INIT_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_INIT_H_

namespace containerkit::runtime::child {

// Forks. The parent stays for ever as reaping init: it passes signals on to
// the child and ends with the child's exit code. Returns 0 in the child,
// which goes on with the plan, or -errno.
long StepInit();

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_INIT_H_
