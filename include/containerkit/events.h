// What happened in a state root, as Docker's events tell it.
#ifndef CONTAINERKIT_EVENTS_H_
#define CONTAINERKIT_EVENTS_H_

#include <map>
#include <string>

#include "absl/time/time.h"
#include "containerkit/cancel.h"

namespace containerkit {

struct EngineEvent {
  std::string type;    // "container", "image"
  std::string action;  // "create", "start", "die", "pull", ...
  std::string actor_id;
  // "name", "image", "exitCode", "execID", ... and the object's labels.
  std::map<std::string, std::string> attributes;
  absl::Time time;
  // The event as Docker's GET /events writes it, one line without newline.
  std::string json;
};

struct EventOptions {
  absl::Time since = absl::InfiniteFuture();  // finite: replay from there
  absl::Time until = absl::InfiniteFuture();
  // Docker's filters: type, event, container, image, label.
  std::multimap<std::string, std::string> filters;
  CancelToken cancel;
};

}  // namespace containerkit

#endif  // CONTAINERKIT_EVENTS_H_
