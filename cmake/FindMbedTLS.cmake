# mbedTLS 2.28 (Debian's package brings neither CMake nor pkg-config files) or 3.x: the targets
# MbedTLS::mbedcrypto, MbedTLS::mbedx509 and MbedTLS::mbedtls.
find_path(MbedTLS_INCLUDE_DIR mbedtls/ssl.h)
find_library(MbedTLS_mbedtls_LIBRARY mbedtls)
find_library(MbedTLS_mbedx509_LIBRARY mbedx509)
find_library(MbedTLS_mbedcrypto_LIBRARY mbedcrypto)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MbedTLS REQUIRED_VARS
  MbedTLS_INCLUDE_DIR MbedTLS_mbedtls_LIBRARY MbedTLS_mbedx509_LIBRARY MbedTLS_mbedcrypto_LIBRARY)

if(MbedTLS_FOUND AND NOT TARGET MbedTLS::mbedtls)
  foreach(part mbedcrypto mbedx509 mbedtls)
    add_library(MbedTLS::${part} UNKNOWN IMPORTED)
    set_target_properties(MbedTLS::${part} PROPERTIES
      IMPORTED_LOCATION ${MbedTLS_${part}_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${MbedTLS_INCLUDE_DIR})
  endforeach()
  target_link_libraries(MbedTLS::mbedx509 INTERFACE MbedTLS::mbedcrypto)
  target_link_libraries(MbedTLS::mbedtls INTERFACE MbedTLS::mbedx509)
endif()
mark_as_advanced(MbedTLS_INCLUDE_DIR MbedTLS_mbedtls_LIBRARY MbedTLS_mbedx509_LIBRARY
                 MbedTLS_mbedcrypto_LIBRARY)
