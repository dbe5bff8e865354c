// Names for containers that nobody named: "quiet_noether".
#ifndef CONTAINERKIT_LIB_CONTAINER_RANDOM_NAME_H_
#define CONTAINERKIT_LIB_CONTAINER_RANDOM_NAME_H_

#include <string>

namespace containerkit::container {

// A random adjective and surname. From the sixth `attempt` (0, 1, ...) on with
// a number behind it: by then the plain names seem to be used up.
//
// Thread-safe. Never throws.
std::string RandomName(int attempt);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_RANDOM_NAME_H_
