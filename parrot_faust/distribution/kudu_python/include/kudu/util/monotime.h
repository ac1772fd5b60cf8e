// A span of time.
// Fact source: libkudu_client.pxd of kudu-python; exported MonoDelta members of libkudu_util.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

namespace kudu {

class MonoDelta {
 public:
  MonoDelta();
  static MonoDelta FromSeconds(double seconds);
  static MonoDelta FromMilliseconds(int64_t milliseconds);
  static MonoDelta FromMicroseconds(int64_t microseconds);
  static MonoDelta FromNanoseconds(int64_t nanoseconds);

  bool Initialized() const;
  bool LessThan(const MonoDelta& other) const;
  bool MoreThan(const MonoDelta& other) const;
  bool Equals(const MonoDelta& other) const;

  std::string ToString() const;
  double ToSeconds() const;
  int64_t ToMilliseconds() const;
  int64_t ToMicroseconds() const;
  int64_t ToNanoseconds() const;

 private:
  int64_t nanoseconds_;
};

static_assert(std::is_trivially_copyable<MonoDelta>::value && sizeof(MonoDelta) == 8, "a MonoDelta is one integer");

}  // namespace kudu
