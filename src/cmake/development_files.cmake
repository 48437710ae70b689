# SPDX-License-Identifier: Apache-2.0
# What a C or C++ program needs to be compiled for the simulator: headers, pkg-config, CMake package.

set(HBM_SIMULATOR_DIR "${HBM_PYTHON_INSTALL_DIR}/hbm_runtime/simulator")
install(DIRECTORY abi/ DESTINATION "${HBM_SIMULATOR_DIR}/include" FILES_MATCHING PATTERN "*.h")
install(FILES cmake/package/hbm_simulator.pc DESTINATION "${HBM_SIMULATOR_DIR}/share/pkgconfig")
install(FILES cmake/package/hbm_simulatorConfig.cmake
  DESTINATION "${HBM_SIMULATOR_DIR}/share/cmake/hbm_simulator")
