// Which shared pointer the client library was built with.
// Fact source: the mangled names of exported functions that take or return one (std::tr1).
#pragma once

#include <tr1/memory>

namespace kudu {
namespace client {
namespace sp {

using std::tr1::enable_shared_from_this;
using std::tr1::shared_ptr;
using std::tr1::weak_ptr;

}  // namespace sp
}  // namespace client
}  // namespace kudu
