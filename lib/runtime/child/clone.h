// The birth of a child: namespaces that it joins, descriptors that it needs.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_CLONE_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_CLONE_H_

#include <stdint.h>

#include "lib/runtime/child/proc.h"

namespace containerkit::runtime::child {

// Namespaces to be entered before the child is made.
struct Joins {
  int count = 0;
  uint32_t by_path = 0;  // of these
  struct Item {
    int fd;
    Str path;  // "": none
    bool joined;
    bool pidfd;
    uint32_t types;
  } items[kMostJoins];

  uint32_t AllTypes() const {
    uint32_t types = 0;
    for (int i = 0; i < count; ++i) types |= items[i].types;
    return types;
  }
};

long StepJoinNamespace(Proc& proc, FieldReader fields, Joins& joins);

// Makes the child, which goes on with the plan. Sets pid, pidfd, sync, shared,
// and the monitor's ends of the standard streams.
long StepClone(Proc& proc, const StepView& step, Joins& joins);

// Pipes and duplicates for the child's descriptors 0 to 2 (-1: /dev/null).
long MakeStdio(Proc& proc, int ends[3]);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_CLONE_H_
