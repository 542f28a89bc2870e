#include "tunnel/error_code.h"

namespace culvert::tunnel {

std::string_view ErrorCodeText(ErrorCode code) {
  switch (code) {
#define CULVERT_X(name, number, text) \
  case ErrorCode::name:               \
    return text;
    CULVERT_TUNNEL_ERROR_CODES(CULVERT_X)
#undef CULVERT_X
  }
  return "error";
}

ErrorCode ErrorCodeFromNumber(uint32_t number) {
  switch (number) {
#define CULVERT_X(name, value, text) \
  case value:                        \
    return ErrorCode::name;
    CULVERT_TUNNEL_ERROR_CODES(CULVERT_X)
#undef CULVERT_X
    default:
      return ErrorCode::kUnspecified;
  }
}

}  // namespace culvert::tunnel
