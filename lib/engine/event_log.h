// The event stream of a state root, shared by all processes that use it:
// events.log holds one line of JSON an event, in Docker's shape.
#ifndef CONTAINERKIT_LIB_ENGINE_EVENT_LOG_H_
#define CONTAINERKIT_LIB_ENGINE_EVENT_LOG_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "containerkit/events.h"
#include "lib/base/unique_fd.h"

namespace containerkit::engine {

// The event's Docker JSON, one line without newline: Type, Action, Actor,
// scope, time, timeNano and the legacy status, id and from.
std::string EventJson(const EngineEvent& event);

// Reads such a line. Errors: INVALID_ARGUMENT / kInvalidJson.
absl::StatusOr<EngineEvent> ParseEvent(absl::string_view json);

// Whether the event passes Docker's filters: type, event, container, image,
// label, scope, daemon, and those of kinds of objects that this engine has
// not yet (volume, network, ...).
//
// Errors: INVALID_ARGUMENT / kInvalidArgument for an unknown filter.
absl::StatusOr<bool> EventMatches(
    const EngineEvent& event,
    const std::multimap<std::string, std::string>& filters);

// Thread-safe; any number of processes may append and read.
class EventLog {
 public:
  // Above this, events.log becomes events.log.1.
  static constexpr uint64_t kDefaultMaxBytes = 4 << 20;

  // `directory`: the state root. Makes no file before the first Append().
  explicit EventLog(UniqueFd directory, uint64_t max_bytes = kDefaultMaxBytes)
      : directory_(std::move(directory)), max_bytes_(max_bytes) {}

  // Appends the event with one write; `json` is made of the other members. An
  // event is whole or absent, whatever dies. Not durable over a power cut.
  //
  // Errors: as open(2), write(2); UNAVAILABLE / kStoreBusy when the file is
  // locked for a second (a stopped process).
  absl::Status Append(const EngineEvent& event) const;

  // Gives events to `sink`, oldest first: those from `since` on when it is
  // finite, then new ones as they come, until `until` passes or `sink`
  // answers false.
  //
  // Blocks. Errors: CANCELLED / kCancelled; INVALID_ARGUMENT /
  // kInvalidArgument for an unknown filter; as open(2), read(2).
  absl::Status Read(const EventOptions& options,
                    const std::function<bool(const EngineEvent&)>& sink) const;

 private:
  // The newest file, locked against rotation.
  absl::StatusOr<UniqueFd> OpenForAppend() const;
  absl::Status Rotate() const;

  const UniqueFd directory_;
  const uint64_t max_bytes_;
};

}  // namespace containerkit::engine

#endif  // CONTAINERKIT_LIB_ENGINE_EVENT_LOG_H_
