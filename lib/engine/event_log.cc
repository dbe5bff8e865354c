#include "lib/engine/event_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/cancel.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "lib/sys/directory_watch.h"
#include "lib/sys/lock_file.h"
#include "lib/sys/rotated_log.h"
#include "nlohmann/json.hpp"

namespace containerkit::engine {

namespace {

using Json = nlohmann::json;

constexpr char kOperation[] = "events";
constexpr char kName[] = "events.log";
constexpr char kOldName[] = "events.log.1";
// Labels are the bulk of an event; a config is capped at 4 MiB.
constexpr size_t kMaxLineBytes = 8 << 20;
constexpr absl::Duration kLockTimeout = absl::Seconds(1);
// How long a reader sleeps at most: nothing but new events wakes it.
constexpr absl::Duration kMaxSleep = absl::Seconds(60);
constexpr absl::Duration kSleepWithoutCancelFd = absl::Milliseconds(200);

const std::string& Attribute(const EngineEvent& event, const char* name) {
  static const std::string& none = *new std::string();
  const auto found = event.attributes.find(name);
  return found == event.attributes.end() ? none : found->second;
}

// "debian:12" without its tag; the port of a registry is none.
absl::string_view WithoutTag(absl::string_view reference) {
  const size_t colon = reference.rfind(':');
  if (colon == absl::string_view::npos ||
      reference.find('/', colon) != absl::string_view::npos) {
    return reference;
  }
  return reference.substr(0, colon);
}

bool ObjectMatches(const EngineEvent& event, absl::string_view type,
                   absl::string_view wanted) {
  if (event.type != type) return false;
  return absl::StartsWith(event.actor_id, wanted) ||
         Attribute(event, "name") == wanted;
}

bool ImageMatches(const EngineEvent& event, absl::string_view wanted) {
  if (event.type == "image") {
    const std::string& name = Attribute(event, "name");
    return event.actor_id == wanted || name == wanted ||
           WithoutTag(event.actor_id) == wanted || WithoutTag(name) == wanted;
  }
  if (event.type != "container") return false;
  const std::string& image = Attribute(event, "image");
  return image == wanted || WithoutTag(image) == wanted;
}

// "exec_start" also stands for "exec_start: /bin/sh".
bool ActionMatches(absl::string_view action, absl::string_view wanted) {
  return action == wanted || action.substr(0, action.find(':')) == wanted;
}

bool LabelMatches(const EngineEvent& event, absl::string_view wanted) {
  const size_t equals = wanted.find('=');
  const auto found =
      event.attributes.find(std::string(wanted.substr(0, equals)));
  return found != event.attributes.end() &&
         (equals == absl::string_view::npos ||
          found->second == wanted.substr(equals + 1));
}

absl::StatusOr<bool> FilterMatches(const EngineEvent& event,
                                   const std::string& name,
                                   const std::string& wanted) {
  // Kinds of Docker's objects that have no events here yet.
  static const std::set<std::string>& kinds = *new std::set<std::string>{
      "volume", "network", "plugin", "service", "node", "secret", "config"};
  if (name == "type") return event.type == wanted;
  if (name == "event") return ActionMatches(event.action, wanted);
  if (name == "container") return ObjectMatches(event, "container", wanted);
  if (name == "image") return ImageMatches(event, wanted);
  if (name == "label") return LabelMatches(event, wanted);
  if (name == "scope") return wanted == "local";
  if (name == "daemon") return true;
  if (kinds.count(name) != 0) return ObjectMatches(event, name, wanted);
  return InvalidArgument(Reason::kInvalidArgument, kOperation,
                         absl::StrCat("invalid filter '", name, "'"));
}

// A line of the file; nullopt if it is damaged.
std::optional<EngineEvent> ReadLine(absl::string_view line) {
  absl::StatusOr<EngineEvent> event = ParseEvent(line);
  if (event.ok()) return *std::move(event);
  // A full disk cut a line short and this one came behind it. Quotes inside
  // of strings are escaped, so only a whole event starts like this.
  const size_t again = line.rfind("{\"Action\":");
  if (again == absl::string_view::npos || again == 0) return std::nullopt;
  event = ParseEvent(line.substr(again));
  if (!event.ok()) return std::nullopt;
  return *std::move(event);
}

}  // namespace

std::string EventJson(const EngineEvent& event) {
  const int64_t ns = absl::ToUnixNanos(event.time);
  Json json = {
      {"Type", event.type},
      {"Action", event.action},
      {"Actor", {{"ID", event.actor_id}, {"Attributes", event.attributes}}},
      {"scope", "local"},
      {"time", ns / 1000000000},
      {"timeNano", ns},
  };
  if (event.type == "container" || event.type == "image") {
    json["status"] = event.action;
    json["id"] = event.actor_id;
  }
  if (event.type == "container") json["from"] = Attribute(event, "image");
  return DumpJson(json);
}

absl::StatusOr<EngineEvent> ParseEvent(absl::string_view json) {
  CK_ASSIGN_OR_RETURN(
      const JsonDocument document,
      JsonDocument::Parse(json, kOperation, {.max_bytes = kMaxLineBytes}));
  const JsonNode root = document.root();
  EngineEvent event;
  event.type = root.Get("Type").RequiredString();
  event.action = root.Get("Action").RequiredString();
  event.actor_id = root.Get("Actor").Get("ID").String();
  event.attributes = root.Get("Actor").Get("Attributes").StringMap();
  event.time = absl::FromUnixNanos(root.Get("timeNano").Int64());
  CK_RETURN_IF_ERROR(document.status());
  event.json = std::string(json);
  return event;
}

absl::StatusOr<bool> EventMatches(
    const EngineEvent& event,
    const std::multimap<std::string, std::string>& filters) {
  bool all = true;
  for (auto it = filters.begin(); it != filters.end();) {
    // Values of one name are alternatives, but all labels must be there.
    const std::string& name = it->first;
    bool any = false;
    bool every = true;
    for (; it != filters.end() && it->first == name; ++it) {
      CK_ASSIGN_OR_RETURN(const bool matches,
                          FilterMatches(event, name, it->second));
      any = any || matches;
      every = every && matches;
    }
    all = all && (name == "label" ? every : any);
  }
  return all;
}

absl::StatusOr<UniqueFd> EventLog::OpenForAppend() const {
  for (;;) {
    UniqueFd fd(openat(directory_.get(), kName,
                       O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                       0600));
    if (!fd.ok()) return SyscallError(errno, kOperation, "open", kName);
    CK_RETURN_IF_ERROR(
        sys::LockFd(fd.get(), sys::LockMode::kShared, kLockTimeout, kName));
    // Rotated between the two calls?
    struct stat ours, named;
    if (fstat(fd.get(), &ours) != 0) {
      return SyscallError(errno, kOperation, "fstat", kName);
    }
    if (fstatat(directory_.get(), kName, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        ours.st_ino == named.st_ino && ours.st_dev == named.st_dev) {
      return fd;
    }
  }
}

absl::Status EventLog::Append(const EngineEvent& event) const {
  const std::string line = absl::StrCat(EventJson(event), "\n");
  bool large = false;
  {
    // Closing the descriptor gives the lock back.
    CK_ASSIGN_OR_RETURN(const UniqueFd fd, OpenForAppend());
    ssize_t written;
    do {
      written = write(fd.get(), line.data(), line.size());
    } while (written < 0 && errno == EINTR);
    if (written < 0) return SyscallError(errno, kOperation, "write", kName);
    if (static_cast<size_t>(written) != line.size()) {
      return SyscallError(ENOSPC, kOperation, "write", kName);
    }
    const off_t size = lseek(fd.get(), 0, SEEK_CUR);
    large = size > 0 && static_cast<uint64_t>(size) > max_bytes_;
  }
  return large ? Rotate() : absl::OkStatus();
}

absl::Status EventLog::Rotate() const {
  CK_ASSIGN_OR_RETURN(const UniqueFd fd, OpenForAppend());
  // The shared lock becomes an exclusive one, not atomically (flock(2)):
  // somebody else may rotate in between.
  CK_RETURN_IF_ERROR(
      sys::LockFd(fd.get(), sys::LockMode::kExclusive, kLockTimeout, kName));
  struct stat ours, named;
  if (fstat(fd.get(), &ours) != 0) {
    return SyscallError(errno, kOperation, "fstat", kName);
  }
  if (static_cast<uint64_t>(ours.st_size) <= max_bytes_ ||
      fstatat(directory_.get(), kName, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
      ours.st_ino != named.st_ino || ours.st_dev != named.st_dev) {
    return absl::OkStatus();
  }
  if (renameat(directory_.get(), kName, directory_.get(), kOldName) != 0) {
    return SyscallError(errno, kOperation, "rename", kName);
  }
  return absl::OkStatus();
}

absl::Status EventLog::Read(
    const EventOptions& options,
    const std::function<bool(const EngineEvent&)>& sink) const {
  // An unknown filter is an error even if nothing happens.
  CK_RETURN_IF_ERROR(EventMatches({}, options.filters).status());
  // Watching first: what happens after this is seen.
  sys::DirectoryWatch watch = sys::DirectoryWatch::Create(directory_.get());
  sys::RotatedLog log(directory_.get(), kName, kMaxLineBytes);
  CK_RETURN_IF_ERROR(log.Open());
  if (options.since == absl::InfiniteFuture() && !log.files().empty()) {
    const size_t newest = log.files().size() - 1;
    CK_ASSIGN_OR_RETURN(const int64_t end, log.EndOfLastLine(newest));
    log.Skip(newest, end);
  }
  const absl::Time since = options.since == absl::InfiniteFuture()
                               ? absl::InfinitePast()
                               : options.since;
  const auto take = [&](absl::string_view line) {
    if (options.cancel.cancelled()) return false;
    const std::optional<EngineEvent> event = ReadLine(line);
    if (!event.has_value() || event->time < since) return true;
    // Events of several processes are nearly in order, not quite.
    if (event->time > options.until) return true;
    const absl::StatusOr<bool> wanted = EventMatches(*event, options.filters);
    return !wanted.ok() || !*wanted || sink(*event);
  };
  for (;;) {
    const bool over = absl::Now() > options.until;
    CK_ASSIGN_OR_RETURN(const bool to_end, log.ReadLines(take));
    CK_RETURN_IF_ERROR(CheckCancelled(options.cancel, kOperation));
    if (!to_end || over) return absl::OkStatus();
    absl::Duration sleep = std::min(kMaxSleep, options.until - absl::Now());
    if (options.cancel.fd() < 0) sleep = std::min(sleep, kSleepWithoutCancelFd);
    watch.Wait(sleep, options.cancel.fd(), -1,
               [&log](absl::string_view name) { return log.Owns(name); });
  }
}

}  // namespace containerkit::engine
