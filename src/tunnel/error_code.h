// The codes of the SDK under the name of this module.
#pragma once

#include "culvert/error_code.h"

namespace culvert::tunnel {

using culvert::ErrorCode;
using culvert::ErrorCodeFromNumber;
using culvert::ErrorCodeText;

}  // namespace culvert::tunnel
