# SPDX-License-Identifier: Apache-2.0
# find_package(hbm_simulator): the imported targets dnn and hbucp, named as programs for boards link.

get_filename_component(_hbm_simulator "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
foreach(_hbm_library hbucp dnn)
  if(NOT TARGET ${_hbm_library})
    add_library(${_hbm_library} SHARED IMPORTED)
    set_target_properties(${_hbm_library} PROPERTIES
      IMPORTED_LOCATION "${_hbm_simulator}/lib${_hbm_library}.so"
      IMPORTED_SONAME "lib${_hbm_library}.so"
      INTERFACE_INCLUDE_DIRECTORIES "${_hbm_simulator}/include")
  endif()
endforeach()
set_property(TARGET dnn APPEND PROPERTY IMPORTED_LINK_DEPENDENT_LIBRARIES hbucp)
unset(_hbm_library)
unset(_hbm_simulator)
