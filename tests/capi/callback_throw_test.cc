// A C++ host whose callbacks throw, against the rules: the exception ends at
// the border, the call fails, and everything still works.
#include <stdexcept>

extern "C" {
#include "tests/capi/support.h"
}

namespace {

int32_t Throw(void*, int32_t, const void*, size_t, int64_t) {
  throw std::runtime_error("no business of yours");
}

void ThrowingCallbackEndsTheCall() {
  RequireContainers();
  ck_error* err = nullptr;
  ck_session* session = nullptr;
  Collected out = {};
  ck_engine* engine = EngineWithBusybox();
  ck_container* container =
      MakeContainer(engine, "sh", "-c", "echo one; echo two", nullptr);
  ck_container_start_options start = CK_CONTAINER_START_OPTIONS_INIT;
  start.attach = 1;
  CHECK_OK(ck_container_start(container, &start, &session, &err));
  CHECK_ERROR(ck_session_read(session, nullptr, Throw, &out, CountRelease,
                              nullptr, nullptr, &err),
              CK_INTERNAL, CK_REASON_INTERNAL);
  CHECK(out.released == 1);
  ck_session_release(session);
  CHECK_OK(ck_container_wait(container, nullptr, nullptr, nullptr, &err));
  CHECK_ERROR(
      ck_container_logs(container, nullptr, Throw, &out, CountRelease, &err),
      CK_INTERNAL, CK_REASON_INTERNAL);
  CHECK(out.released == 2);
  CHECK_OK(
      ck_container_logs(container, nullptr, Collect, &out, CountRelease, &err));
  CHECK_STR(out.text, "one\ntwo\n");
  CHECK_OK(ck_container_remove(container, nullptr, &err));
  ck_container_release(container);
  ck_engine_release(engine);
}

}  // namespace

int main() {
  static const TestCase kCases[] = {
      {"ThrowingCallbackEndsTheCall", ThrowingCallbackEndsTheCall},
  };
  return RUN_CASES("CapiThrow", kCases);
}
