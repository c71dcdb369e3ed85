# What `cmake --install` puts into a tree that may be moved: the program with its recipes, and the library for other projects
# (find_package, bkdConfig.cmake.in).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The program looks for what is its own beside itself: recipes and peer_torch.py in ../share/bkd, the CUDA backend in ../lib/bkd.
install(TARGETS bkd RUNTIME DESTINATION bin)
install(DIRECTORY train/recipes/ DESTINATION share/bkd/recipes)
install(PROGRAMS tools/peer_torch.py DESTINATION share/bkd)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

add_library(bkd_library INTERFACE)
add_library(bkd::bkd ALIAS bkd_library)
target_link_libraries(bkd_library INTERFACE bkd::train)
set_target_properties(bkd_library PROPERTIES EXPORT_NAME bkd)
set(installed kernels engine models data train)
foreach(floor flags ${installed})
    set_target_properties(bkd_${floor} PROPERTIES EXPORT_NAME ${floor})
endforeach()
list(TRANSFORM installed PREPEND bkd_ OUTPUT_VARIABLE archives)
install(TARGETS bkd_library bkd_flags ${archives} EXPORT bkd ARCHIVE DESTINATION lib)
install(EXPORT bkd NAMESPACE bkd:: FILE bkdTargets.cmake DESTINATION lib/cmake/bkd)

# Headers of the floors; not those of backends, checks, cases and methods, which only their neighbours include.
foreach(folder ${installed} engine/layers engine/ops engine/optimizer)
    file(GLOB headers CONFIGURE_DEPENDS ${folder}/*.h)
    install(FILES ${headers} DESTINATION include/bkd/${folder})
endforeach()

configure_package_config_file(cmake/bkdConfig.cmake.in ${CMAKE_BINARY_DIR}/bkdConfig.cmake INSTALL_DESTINATION lib/cmake/bkd)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/bkdConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/bkdConfig.cmake ${CMAKE_BINARY_DIR}/bkdConfigVersion.cmake DESTINATION lib/cmake/bkd)
