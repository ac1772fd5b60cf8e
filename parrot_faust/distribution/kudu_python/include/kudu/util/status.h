// What became of a call: one pointer, null when it went well.
// Fact source: libkudu_client.pxd of kudu-python; exported CopyState, ToString, message and the four-argument constructor
// of libkudu_util; the layout of the owned bytes from its disassembly (length at 0, code at 4, posix code at 5, text at 7).
#pragma once

#include <cstdint>
#include <string>

#include "kudu/util/slice.h"

namespace kudu {

class Status {
 public:
  Status() noexcept : state_(nullptr) {}
  Status(const Status& other) : state_(other.state_ ? CopyState(other.state_) : nullptr) {}
  Status(Status&& other) noexcept : state_(other.state_) { other.state_ = nullptr; }
  ~Status() { delete[] state_; }

  Status& operator=(const Status& other) {
    if (this != &other) {
      const char* copied = other.state_ ? CopyState(other.state_) : nullptr;
      delete[] state_;
      state_ = copied;
    }
    return *this;
  }
  Status& operator=(Status&& other) noexcept {
    const char* taken = other.state_;
    other.state_ = state_;
    state_ = taken;
    return *this;
  }

  static Status OK() { return Status(); }
  static Status IllegalState(const Slice& text) { return Status(kIllegalState, text, Slice(), -1); }

  bool ok() const { return state_ == nullptr; }
  bool IsNotFound() const { return Is(kNotFound); }
  bool IsCorruption() const { return Is(kCorruption); }
  bool IsNotSupported() const { return Is(kNotSupported); }
  bool IsInvalidArgument() const { return Is(kInvalidArgument); }
  bool IsIOError() const { return Is(kIOError); }
  bool IsAlreadyPresent() const { return Is(kAlreadyPresent); }
  bool IsRuntimeError() const { return Is(kRuntimeError); }
  bool IsNetworkError() const { return Is(kNetworkError); }
  bool IsIllegalState() const { return Is(kIllegalState); }
  bool IsNotAuthorized() const { return Is(kNotAuthorized); }
  bool IsAborted() const { return Is(kAborted); }

  std::string ToString() const;
  Slice message() const;

 private:
  enum Code {
    kOk = 0,
    kNotFound = 1,
    kCorruption = 2,
    kNotSupported = 3,
    kInvalidArgument = 4,
    kIOError = 5,
    kAlreadyPresent = 6,
    kRuntimeError = 7,
    kNetworkError = 8,
    kIllegalState = 9,
    kNotAuthorized = 10,
    kAborted = 11,
  };
  static constexpr int kCodeAt = 4;

  Status(Code code, const Slice& text, const Slice& more, int16_t posix_code);
  bool Is(Code code) const { return state_ != nullptr && state_[kCodeAt] == code; }
  static const char* CopyState(const char* state);

  const char* state_;
};

static_assert(sizeof(Status) == sizeof(void*), "a Status is one pointer");

}  // namespace kudu
