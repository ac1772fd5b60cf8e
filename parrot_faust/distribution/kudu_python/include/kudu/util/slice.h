// A borrowed run of bytes.
// Fact source: libkudu_client.pxd of kudu-python; exported ToString and check_size of libkudu_util.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

namespace kudu {

class Status;

// Travels in two registers, so it must stay trivially copyable with exactly these two members.
class Slice {
 public:
  Slice() : begin_(reinterpret_cast<const uint8_t*>("")), length_(0) {}
  Slice(const uint8_t* bytes, size_t length) : begin_(bytes), length_(length) {}
  Slice(const char* text, size_t length) : begin_(reinterpret_cast<const uint8_t*>(text)), length_(length) {}
  Slice(const std::string& text) : Slice(text.data(), text.size()) {}
  Slice(const char* text) : Slice(text, std::strlen(text)) {}

  const uint8_t* data() const { return begin_; }
  uint8_t* mutable_data() { return const_cast<uint8_t*>(begin_); }
  size_t size() const { return length_; }
  bool empty() const { return length_ == 0; }
  const uint8_t& operator[](size_t index) const { return begin_[index]; }

  std::string ToString() const;
  Status check_size(size_t expected) const;

 private:
  const uint8_t* begin_;
  size_t length_;
};

static_assert(std::is_trivially_copyable<Slice>::value && sizeof(Slice) == 16, "a Slice travels in two registers");

}  // namespace kudu
