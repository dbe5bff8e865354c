// An ordinary user, with sub-ids or without, for tests that run as root.
#ifndef CONTAINERKIT_LIB_TESTING_ORDINARY_USER_H_
#define CONTAINERKIT_LIB_TESTING_ORDINARY_USER_H_

#include <functional>

namespace containerkit::testing {

inline constexpr unsigned kOrdinaryUser = 4321;
// The ids 1 to 65536 of the user's namespaces, outside, with a range.
inline constexpr unsigned kFirstSubId = 400000;

// Runs `body` in a child process as user and group kOrdinaryUser; what it
// returns. The user exists only in the child's mount namespace, which has
// /etc/passwd, /etc/group and, where it has a range of sub-ids, /etc/subuid and
// /etc/subgid of its own. Negative when the child could not become that user,
// or was killed.
int AsOrdinaryUser(const std::function<int()>& body, bool has_range = true);

}  // namespace containerkit::testing

#endif  // CONTAINERKIT_LIB_TESTING_ORDINARY_USER_H_
