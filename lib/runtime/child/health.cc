// Health probes: an exec plan, run again and again.
#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/monitor.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {
namespace {

bool InStartPeriod() {
  const HealthState& health = monitor->health;
  return NowMonotonicNs() - health.started_at <
         monitor->request->wire.health.start_period_ns;
}

void ScheduleProbe() {
  const HealthSettings& settings = monitor->request->wire.health;
  int64_t interval = settings.interval_ns;
  if (settings.start_interval_ns > 0 && InStartPeriod() &&
      monitor->health.status == Health::kStarting) {
    interval = settings.start_interval_ns;
  }
  monitor->health.next_at = NowMonotonicNs() + interval;
}

HealthLogEntry* CurrentEntry() {
  HealthState& health = monitor->health;
  if (health.entry == nullptr) {
    health.entry =
        static_cast<HealthLogEntry*>(AllocatePages(sizeof(HealthLogEntry)));
  }
  return health.entry;
}

void Save(const HealthLogEntry& entry) {
  const int directory = monitor->request->directory;
  if (directory < 0) return;
  const long fd =
      OpenAt(directory, "health", O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  const uint64_t place = monitor->health.log_count++ % kHealthLogSize;
  Sys(SYS_pwrite64, fd, &entry, sizeof entry, place * sizeof entry);
  Close(int(fd));
}

// Docker's rules: one success makes healthy, `retries` failures in a row make
// unhealthy, failures of the start period do not count.
void Judge(bool healthy) {
  HealthState& health = monitor->health;
  const Health before = health.status;
  const uint32_t streak = health.streak;
  const uint32_t retries = monitor->request->wire.health.retries;
  if (healthy) {
    health.streak = 0;
    health.status = Health::kHealthy;
  } else if (before != Health::kStarting || !InStartPeriod()) {
    ++health.streak;
    if (health.streak >= (retries == 0 ? 1 : retries)) {
      health.status = Health::kUnhealthy;
    }
  }
  if (health.status != before || health.streak != streak) {
    Publish(MakeEvent(EventType::kHealth));
  }
}

void Record(int code, const char* note) {
  HealthLogEntry* entry = CurrentEntry();
  HealthState& health = monitor->health;
  if (entry != nullptr) {
    entry->start_ns = health.probe_start;
    entry->end_ns = NowRealtimeNs();
    entry->exit_code = code;
    if (note != nullptr) {
      Text text(entry->output, sizeof entry->output);
      entry->output_size = uint32_t(text.Add(note).size());
    }
    Save(*entry);
  }
  health.timeout_at = kNever;
  health.timed_out = false;
  Judge(code == 0);
  ScheduleProbe();
}

}  // namespace

void StartHealth() {
  HealthState& health = monitor->health;
  if (health.plan_bytes == nullptr) return;
  health.status = Health::kStarting;
  health.streak = 0;
  health.started_at = NowMonotonicNs();
  ScheduleProbe();
  Publish(MakeEvent(EventType::kHealth));
}

void StopHealth() {
  HealthState& health = monitor->health;
  health.next_at = health.timeout_at = kNever;
  if (health.probe != nullptr) {
    Session* const probe = health.probe;
    health.probe = nullptr;
    EndSession(*probe);
  }
}

void RunProbe() {
  HealthState& health = monitor->health;
  health.next_at = kNever;
  if (monitor->cgroups.Frozen()) return ScheduleProbe();
  health.probe_start = NowRealtimeNs();
  Session* session = NewSession(Session::kProbe);
  if (session == nullptr) return ScheduleProbe();
  if (HealthLogEntry* entry = CurrentEntry()) entry->output_size = 0;
  session->proc.plan_bytes = health.plan_bytes;
  session->proc.plan_size = health.plan_size;
  session->proc.plan.Init(health.plan_bytes, health.plan_size);
  session->proc.container_pidfd = monitor->main->proc.pidfd;
  health.probe = session;
  health.timeout_at =
      NowMonotonicNs() + monitor->request->wire.health.timeout_ns;
  if (StartSession(*session) == 0) return;
  char note[320];
  const ChildFailure& failure = session->failure;
  Text(note, sizeof note)
      .Add("OCI runtime exec failed: ")
      .Add(failure.call)
      .AddChar(' ')
      .Add(failure.subject)
      .Add(": errno ")
      .AddInt(failure.os_errno);
  health.probe = nullptr;
  EndSession(*session);
  Record(-1, note);
}

void ProbeTimedOut() {
  HealthState& health = monitor->health;
  health.timeout_at = kNever;
  if (health.probe == nullptr) return;
  health.timed_out = true;
  Sys(SYS_pidfd_send_signal, health.probe->proc.pidfd, SIGKILL, nullptr, 0);
}

void ProbeOutput(const char* data, size_t size) {
  HealthLogEntry* entry = CurrentEntry();
  if (entry == nullptr) return;
  size_t room = sizeof entry->output - entry->output_size;
  if (room > size) room = size;
  memcpy(entry->output + entry->output_size, data, room);
  entry->output_size += uint32_t(room);
}

void ProbeEnded(Session& session) {
  HealthState& health = monitor->health;
  const bool started = session.proc.started;
  const int code = session.proc.code;
  health.probe = nullptr;
  EndSession(session);
  if (health.timed_out) {
    char note[80];
    Text text(note, sizeof note);
    text.Add("Health check exceeded timeout (");
    const int64_t ms = monitor->request->wire.health.timeout_ns / 1000000;
    if (ms % 1000 == 0) {
      text.AddInt(ms / 1000).Add("s)");
    } else {
      text.AddInt(ms).Add("ms)");
    }
    return Record(-1, note);
  }
  Record(started ? code : -1, started ? nullptr : "exec failed");
}

}  // namespace containerkit::runtime::child
