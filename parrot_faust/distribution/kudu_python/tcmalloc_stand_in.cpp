// Stands in for libtcmalloc.so.4 beside Kudu's client libraries.
//
// The real one replaces malloc and free of the process that loads it, and half of Python's memory has been handed out
// by then. Kudu's libraries only ask it for statistics and settings; here every question is answered with zero.
//
// It also says where the SASL mechanisms lie, because it is loaded before the first connection and knows its own folder.
// Fact source: the symbols that libkudu_util leaves undefined.

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

long Zero() { return 0; }

using Answer = long (*)();

// More places than the class has virtual functions, so that each of them finds an answer.
struct Answers {
  Answer of[128];
  Answers() {
    for (Answer& one : of) one = Zero;
  }
};

// Environment variables that are set already are left alone.
__attribute__((constructor)) void TellSaslWhereItsMechanismsAre() {
  Dl_info here;
  if (dladdr(reinterpret_cast<void*>(&Zero), &here) == 0 || here.dli_fname == nullptr) return;
  const std::string path = here.dli_fname;
  const std::size_t end = path.rfind('/');
  if (end == std::string::npos) return;
  setenv("SASL_PATH", (path.substr(0, end) + "/sasl2").c_str(), 0);
}

}  // namespace

class MallocExtension {
 public:
  static MallocExtension* instance();

 private:
  const Answer* answers_;
};

MallocExtension* MallocExtension::instance() {
  static const Answers answers;
  static MallocExtension object;
  object.answers_ = answers.of;
  return &object;
}

extern "C" void HeapProfilerStart(const char*) {}

namespace FLAG__namespace_do_not_use_directly_use_DECLARE_int64_instead {
int64_t FLAGS_tcmalloc_sample_parameter = 0;
}
