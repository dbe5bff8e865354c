// The spawner: the parent of the monitors, at most one an open Engine.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_SPAWNER_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_SPAWNER_H_

namespace containerkit::runtime::child {

// The descriptor that the spawner's socket has when it is exec'ed.
inline constexpr int kSpawnerSocket = 3;

// Serves the socket until its other end closes.
[[noreturn]] void RunSpawner();

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_SPAWNER_H_
