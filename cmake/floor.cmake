# What every target of this project compiles with (a project that finds an installed one takes over the standard, the headers'
# folder and what they include, no warnings), and `bkd_floor`, which makes one floor of the house.

add_library(bkd_flags INTERFACE)
# g++ 12 sees overlaps and overflows in "literal" + std::string that are not there (GCC bugs 105651, 105329): three warnings
# are off, and the asan preset looks for the real ones.
target_compile_options(bkd_flags INTERFACE $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:
    -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Wundef
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict -Wno-array-bounds -Wno-stringop-overflow>
    $<$<BOOL:${BKD_WERROR}>:-Werror>>>)
target_compile_features(bkd_flags INTERFACE cxx_std_20)
target_include_directories(bkd_flags INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}> $<INSTALL_INTERFACE:include/bkd>)
# The baseline is x86-64-v2 (every 64-bit machine since 2009); hot loops carry clones for newer ones (kernels/cpu/simd.h).
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(bkd_flags INTERFACE $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:-march=x86-64-v2>>)
endif()
if(BKD_SANITIZE)
    target_compile_options(bkd_flags INTERFACE $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:
        -fsanitize=${BKD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all>>)
    target_link_options(bkd_flags INTERFACE -fsanitize=${BKD_SANITIZE})
    # The resolvers of cloned functions run before the sanitizers are ready.
    target_compile_definitions(bkd_flags INTERFACE BKD_NO_CLONES)
endif()

target_link_libraries(bkd_flags INTERFACE fmt::fmt OpenMP::OpenMP_CXX)

# bkd_precompile(target "a.h;<b>") precompiles these beside the standard headers; bkd_reuse(target from) uses what another
# target precompiled, which fits whoever compiles with the same options but for the level of optimisation.
function(bkd_precompile target headers)
    if(BKD_PRECOMPILED)
        target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/precompiled.h ${headers})
    endif()
endfunction()
function(bkd_reuse target from)
    if(BKD_PRECOMPILED)
        target_precompile_headers(${target} REUSE_FROM ${from})
    endif()
endfunction()

# bkd_floor(kernels SOURCES a.cpp ... USES bkd::engine ...): static library bkd_kernels, target bkd::kernels.
function(bkd_floor name)
    cmake_parse_arguments(FLOOR "" "" "SOURCES;USES" ${ARGN})
    add_library(bkd_${name} STATIC ${FLOOR_SOURCES})
    add_library(bkd::${name} ALIAS bkd_${name})
    target_link_libraries(bkd_${name} PUBLIC bkd_flags ${FLOOR_USES})
endfunction()

# bkd_test(engine LABEL unit TIMEOUT 60 SOURCES x_test.cpp ... USES bkd::engine): one doctest executable, one CTest test.
# All share main.cpp and its options.
function(bkd_test name)
    cmake_parse_arguments(TEST "" "LABEL;TIMEOUT" "SOURCES;USES" ${ARGN})
    add_executable(test_${name} ${TEST_SOURCES})
    target_link_libraries(test_${name} PRIVATE bkd_test_main ${TEST_USES})
    if(TARGET test_floors AND NOT name STREQUAL floors)
        bkd_reuse(test_${name} test_floors)
    endif()
    add_test(NAME ${name} COMMAND test_${name})
    if(BKD_SANITIZE)
        math(EXPR TEST_TIMEOUT "4 * ${TEST_TIMEOUT}")
    endif()
    set_tests_properties(${name} PROPERTIES LABELS ${TEST_LABEL} TIMEOUT ${TEST_TIMEOUT})
endfunction()
