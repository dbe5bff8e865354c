// libcurl, loaded when the first of its functions is called.
//
// libcurl needs some forty further libraries (TLS, Kerberos, LDAP, ...), and
// mapping them took more than half of the time of `ck run`, which has no use
// for any. ck links these forwarders in the place of -lcurl (BUILD).
//
// The variadic functions take one argument, a long, a pointer or a curl_off_t:
// all of one register in the 64-bit ABIs of Linux.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "examples/cli/output.h"

#undef curl_easy_setopt
#undef curl_easy_getinfo

namespace {

static_assert(sizeof(long) == sizeof(void*) &&
              sizeof(curl_off_t) == sizeof(void*));

// The function of libcurl; there is no way on without it.
void* Load(const char* name) {
  static void* const library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  void* const function = library == nullptr ? nullptr : dlsym(library, name);
  if (function == nullptr) {
    containerkit::cli::PrintErr("ck: cannot load libcurl.so.4\n");
    _exit(1);
  }
  return function;
}

}  // namespace

// One line a function: result, name, parameters, arguments.
#define CK_FORWARD(result, name, parameters, arguments) \
  extern "C" result name parameters {                   \
    static const auto function =                        \
        reinterpret_cast<decltype(&name)>(Load(#name)); \
    return function arguments;                          \
  }

// The same with a last argument of any type.
#define CK_FORWARD_VARIADIC(result, name, parameters, arguments, last) \
  extern "C" result name parameters {                                  \
    static const auto function =                                       \
        reinterpret_cast<decltype(&name)>(Load(#name));                \
    va_list list;                                                      \
    va_start(list, last);                                              \
    void* const value = va_arg(list, void*);                           \
    va_end(list);                                                      \
    return function arguments;                                         \
  }

CK_FORWARD(CURLcode, curl_global_init, (long flags), (flags))
CK_FORWARD(void, curl_free, (void* pointer), (pointer))

CK_FORWARD(CURL*, curl_easy_init, (), ())
CK_FORWARD(void, curl_easy_cleanup, (CURL * easy), (easy))
CK_FORWARD(void, curl_easy_reset, (CURL * easy), (easy))
CK_FORWARD(CURLcode, curl_easy_perform, (CURL * easy), (easy))
CK_FORWARD(const char*, curl_easy_strerror, (CURLcode code), (code))
CK_FORWARD(char*, curl_easy_escape, (CURL * easy, const char* text, int length),
           (easy, text, length))
CK_FORWARD_VARIADIC(CURLcode, curl_easy_setopt,
                    (CURL * easy, CURLoption option, ...),
                    (easy, option, value), option)
CK_FORWARD_VARIADIC(CURLcode, curl_easy_getinfo,
                    (CURL * easy, CURLINFO info, ...), (easy, info, value),
                    info)

CK_FORWARD(CURLM*, curl_multi_init, (), ())
CK_FORWARD(CURLMcode, curl_multi_cleanup, (CURLM * multi), (multi))
CK_FORWARD(CURLMcode, curl_multi_add_handle, (CURLM * multi, CURL* easy),
           (multi, easy))
CK_FORWARD(CURLMcode, curl_multi_remove_handle, (CURLM * multi, CURL* easy),
           (multi, easy))
CK_FORWARD(CURLMsg*, curl_multi_info_read, (CURLM * multi, int* left),
           (multi, left))
CK_FORWARD(CURLMcode, curl_multi_perform, (CURLM * multi, int* running),
           (multi, running))
CK_FORWARD(CURLMcode, curl_multi_poll,
           (CURLM * multi, curl_waitfd* extra, unsigned int count,
            int timeout_ms, int* ready),
           (multi, extra, count, timeout_ms, ready))
CK_FORWARD(CURLMcode, curl_multi_wakeup, (CURLM * multi), (multi))
CK_FORWARD(const char*, curl_multi_strerror, (CURLMcode code), (code))

CK_FORWARD(curl_slist*, curl_slist_append,
           (curl_slist * list, const char* text), (list, text))
CK_FORWARD(void, curl_slist_free_all, (curl_slist * list), (list))

CK_FORWARD(CURLU*, curl_url, (), ())
CK_FORWARD(void, curl_url_cleanup, (CURLU * url), (url))
CK_FORWARD(CURLUcode, curl_url_get,
           (CURLU * url, CURLUPart part, char** text, unsigned int flags),
           (url, part, text, flags))
CK_FORWARD(CURLUcode, curl_url_set,
           (CURLU * url, CURLUPart part, const char* text, unsigned int flags),
           (url, part, text, flags))
CK_FORWARD(const char*, curl_url_strerror, (CURLUcode code), (code))
