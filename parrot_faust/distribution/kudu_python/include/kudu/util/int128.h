// 128-bit integers, as decimals of more than 18 digits need them.
// Fact source: the parameter types of the exported SetUnscaledDecimal and FromDecimal (mangled "n", __int128).
#pragma once

#define KUDU_INT128_SUPPORTED 1

namespace kudu {

typedef __int128 int128_t;
typedef unsigned __int128 uint128_t;

}  // namespace kudu
