// Where the rest of src finds Bytes, which is part of the SDK.
#pragma once

#include "culvert/bytes.h"  // IWYU pragma: export
