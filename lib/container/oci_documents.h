// Documents of ck-oci that depend on no container.
#ifndef CONTAINERKIT_LIB_CONTAINER_OCI_DOCUMENTS_H_
#define CONTAINERKIT_LIB_CONTAINER_OCI_DOCUMENTS_H_

#include <cstdint>
#include <string>

#include "lib/oci/runtime_spec.h"

namespace containerkit::container {

// runtime-spec's features document: what this build does, whatever the
// machine. Two spaces of indent, no line feed at the end.
std::string OciFeatures();

// The config that `spec` writes: a shell in rootfs with Docker's masked paths
// and three capabilities. `rootless`: with a user namespace in which root is
// uid/gid of the host, and without limits.
oci::RuntimeSpec ExampleOciSpec(bool rootless, uint32_t uid, uint32_t gid);

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_OCI_DOCUMENTS_H_
