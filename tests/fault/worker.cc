// One operation on a state root, for tests that disturb it.
//
//   worker ROOT RESULT OPERATION ARGUMENT [BOOT_ID_FILE]
//
// The operation is phase 1 of the ptrace driver. RESULT gets one line: "ok",
// or "error CODE REASON OS_ERRNO OPERATION MESSAGE" (docs/errors.md).
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <new>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "containerkit/engine.h"
#include "containerkit/status.h"
#include "lib/base/unique_fd.h"
#include "lib/testing/ptrace_driver.h"

namespace ck = containerkit;

namespace {

using Operation =
    std::function<absl::Status(ck::Engine& engine, const std::string& what)>;

ck::UniqueFd OpenArchive(const std::string& path) {
  return ck::UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

absl::Status Import(ck::Engine& engine, const std::string& path) {
  const ck::UniqueFd archive = OpenArchive(path);
  ck::ImageImportOptions options;
  options.reference = "fault";
  return engine.images().Import(archive.get(), options).status();
}

absl::Status Create(ck::Engine& engine, const std::string& name) {
  ck::ContainerConfig config;
  config.image = "busybox";
  config.name = name;
  config.cmd = {{"sleep", "1000"}};
  config.resources.pids_limit = 16;
  return engine.Create(config).status();
}

absl::Status WithContainer(
    ck::Engine& engine, const std::string& name,
    const std::function<absl::Status(ck::Container&)>& act) {
  absl::StatusOr<ck::Container> container = engine.GetContainer(name);
  return container.ok() ? act(*container) : container.status();
}

absl::Status Start(ck::Container& container) {
  return container.Start().status();
}

absl::Status Stop(ck::Container& container) {
  return container.Stop({.timeout = absl::ZeroDuration()});
}

absl::Status Remove(ck::Container& container) { return container.Remove(); }

absl::Status Exec(ck::Container& container) {
  ck::ExecConfig config;
  config.command = {"true"};
  absl::StatusOr<ck::Session> session = container.Exec(config);
  if (!session.ok()) return session.status();
  return session->Read([](const ck::Output&) {}).status();
}

const std::map<std::string, Operation>& Operations() {
  static const auto* operations = new std::map<std::string, Operation>{
      {"open", [](ck::Engine&, const std::string&) { return absl::Status(); }},
      {"import", Import},
      {"load",
       [](ck::Engine& engine, const std::string& path) {
         return engine.images().Load(path).status();
       }},
      {"pull",
       [](ck::Engine& engine, const std::string& reference) {
         return engine.images().Pull(reference).status();
       }},
      {"create", Create},
      {"start",
       [](ck::Engine& engine, const std::string& name) {
         return WithContainer(engine, name, Start);
       }},
      {"stop",
       [](ck::Engine& engine, const std::string& name) {
         return WithContainer(engine, name, Stop);
       }},
      {"exec",
       [](ck::Engine& engine, const std::string& name) {
         return WithContainer(engine, name, Exec);
       }},
      {"prune",
       [](ck::Engine& engine, const std::string&) {
         return engine.Prune(/*all_images=*/false, /*dry_run=*/false).status();
       }},
      {"remove",
       [](ck::Engine& engine, const std::string& name) {
         return WithContainer(engine, name, Remove);
       }},
  };
  return *operations;
}

std::string Describe(const absl::Status& status) {
  if (status.ok()) return "ok\n";
  const ck::ErrorDetail detail =
      ck::GetErrorDetail(status).value_or(ck::ErrorDetail());
  return absl::StrCat("error ", static_cast<int>(status.code()), " ",
                      std::string(ck::ReasonName(detail.reason)), " ",
                      detail.os_errno, " ",
                      detail.operation.empty() ? "-" : detail.operation, " ",
                      std::string(status.message()), "\n");
}

absl::Status Run(const std::string& root, const std::string& name,
                 const std::string& what) {
  const auto operation = Operations().find(name);
  if (operation == Operations().end()) {
    return absl::UnimplementedError("no such operation");
  }
  const bool opens = name == "open";
  if (opens) ck::testing::MarkPhase(1);
  ck::Engine::Options options;
  options.root = root;
  absl::StatusOr<ck::Engine> engine = ck::Engine::Open(options);
  if (!engine.ok()) return engine.status();
  // From within the process that started it: its monitor is traced.
  if (name == "stop" || name == "exec") {
    absl::Status started = WithContainer(*engine, what, Start);
    if (!started.ok()) return started;
  }
  if (!opens) ck::testing::MarkPhase(1);
  return operation->second(*engine, what);
}

}  // namespace

namespace {

// This process sees `file` in the place of the kernel's boot id.
bool PretendBoot(const char* file) {
  return unshare(CLONE_NEWNS) == 0 &&
         mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount(file, "/proc/sys/kernel/random/boot_id", nullptr, MS_BIND,
               nullptr) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) return 2;
  if (argc == 6 && !PretendBoot(argv[5])) return 4;
  const ck::UniqueFd result(
      open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  std::string text;
  try {
    text = Describe(Run(argv[1], argv[3], argv[4]));
  } catch (const std::bad_alloc&) {
    text = "error 8 bad_alloc 12 - no memory\n";
  }
  ck::testing::MarkPhase(2);
  return write(result.get(), text.data(), text.size()) ==
                 static_cast<ssize_t>(text.size())
             ? 0
             : 3;
}
