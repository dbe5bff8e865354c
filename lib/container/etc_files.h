// The three files of /etc that the engine makes for every container. Pure:
// who calls has read the host's files and writes the results.
#ifndef CONTAINERKIT_LIB_CONTAINER_ETC_FILES_H_
#define CONTAINERKIT_LIB_CONTAINER_ETC_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/container_config.h"

namespace containerkit::container {

struct EtcFiles {
  std::string hostname;
  // Loopback, --add-host in order, the container itself.
  std::string hosts;
  // --dns, --dns-search and --dns-option where given, the host's lines for
  // the rest. Without the host's network its loopback resolvers are left out,
  // for nobody answers there; when none is left, public ones stand in, as
  // docker does. --dns-search=. clears the list.
  std::string resolv_conf;
};

struct EtcInputs {
  // The address behind the container's name; empty: loopback, so that a
  // program that resolves its own name does not wait.
  std::string address;
  // What "host-gateway" stands for; empty: loopback in the host's network, an
  // error elsewhere.
  std::string host_gateway;
  // Text of the host's /etc/hosts: with the host's network, the container
  // gets a copy of it, as docker does. Empty: a file of its own.
  std::string host_hosts;
};

// Trust: `host_resolv_conf` is the host's; lines that it has wrong are
// dropped. `hostname` and the config are the caller's.
// Errors: INVALID_ARGUMENT / kInvalidArgument for control bytes, white space
//         where a word is wanted, or an address that is none; one entry of
//         the config can thus never become two lines (security.md R17).
absl::StatusOr<EtcFiles> MakeEtcFiles(const ContainerConfig& config,
                                      absl::string_view hostname,
                                      absl::string_view host_resolv_conf,
                                      const EtcInputs& inputs = {});

}  // namespace containerkit::container

#endif  // CONTAINERKIT_LIB_CONTAINER_ETC_FILES_H_
