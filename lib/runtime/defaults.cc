#include "lib/runtime/defaults.h"

#include <string>
#include <vector>

namespace containerkit::runtime {

const std::vector<std::string>& DefaultMaskedPaths() {
  static const std::vector<std::string>* const paths =
      new std::vector<std::string>{
          "/proc/acpi",
          "/proc/asound",
          "/proc/interrupts",
          "/proc/kcore",
          "/proc/keys",
          "/proc/latency_stats",
          "/proc/sched_debug",
          "/proc/scsi",
          "/proc/timer_list",
          "/proc/timer_stats",
          "/sys/devices/virtual/powercap",
          "/sys/firmware",
      };
  return *paths;
}

const std::vector<std::string>& DefaultReadonlyPaths() {
  static const std::vector<std::string>* const paths =
      new std::vector<std::string>{"/proc/bus", "/proc/fs", "/proc/irq",
                                   "/proc/sys", "/proc/sysrq-trigger"};
  return *paths;
}

}  // namespace containerkit::runtime
