# What every target of this project compiles with, and `bkd_floor`, which makes one floor of the house.

add_library(bkd_flags INTERFACE)
# -Wno-restrict: g++ 12 sees overlapping copies in "literal" + std::string that are not there (GCC bug 105651).
target_compile_options(bkd_flags INTERFACE
    -Wno-restrict -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Wundef
    $<$<BOOL:${BKD_WERROR}>:-Werror>)
target_include_directories(bkd_flags INTERFACE ${CMAKE_SOURCE_DIR})
# The baseline is x86-64-v2 (every 64-bit machine since 2009); hot loops carry clones for newer ones (kernels/cpu/simd.h).
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(bkd_flags INTERFACE -march=x86-64-v2)
endif()
if(BKD_SANITIZE)
    target_compile_options(bkd_flags INTERFACE -fsanitize=${BKD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(bkd_flags INTERFACE -fsanitize=${BKD_SANITIZE})
    # The resolvers of cloned functions run before the sanitizers are ready.
    target_compile_definitions(bkd_flags INTERFACE BKD_NO_CLONES)
endif()

# bkd_floor(kernels SOURCES a.cpp ... USES engine fmt::fmt ...): static library bkd_kernels, target bkd::kernels.
function(bkd_floor name)
    cmake_parse_arguments(FLOOR "" "" "SOURCES;USES" ${ARGN})
    add_library(bkd_${name} STATIC ${FLOOR_SOURCES})
    add_library(bkd::${name} ALIAS bkd_${name})
    target_link_libraries(bkd_${name} PUBLIC bkd_flags fmt::fmt ${FLOOR_USES})
endfunction()

# bkd_test(engine LABELS unit SOURCES x_test.cpp ... USES bkd::engine): one doctest executable, one CTest test a label.
function(bkd_test name)
    cmake_parse_arguments(TEST "" "LABEL;TIMEOUT" "SOURCES;USES" ${ARGN})
    add_executable(test_${name} ${TEST_SOURCES} ${CMAKE_SOURCE_DIR}/tests/main.cpp)
    target_link_libraries(test_${name} PRIVATE ${TEST_USES} doctest::doctest)
    target_compile_definitions(test_${name} PRIVATE BKD_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME ${name} COMMAND test_${name})
    set_tests_properties(${name} PROPERTIES LABELS ${TEST_LABEL} TIMEOUT ${TEST_TIMEOUT})
endfunction()
