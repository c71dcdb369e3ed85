# Installs the build, moves the tree, and uses it from there: the program finds its recipes, the headers are complete, and a
# project of its own builds against the library and trains.
#     cmake -DBUILD=build/release -DSOURCE=. -DWORK=FOLDER -P tests/install/check.cmake
function(run)
    execute_process(COMMAND ${ARGV} WORKING_DIRECTORY ${WORK} RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE out)
    set(out "${out}" PARENT_SCOPE)
    if(NOT code EQUAL 0)
        list(JOIN ARGV " " command)
        message(FATAL_ERROR "${command}\nended with ${code}:\n${out}")
    endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/first)
set(tree ${WORK}/moved/tree)
file(MAKE_DIRECTORY ${WORK}/moved)
file(RENAME ${WORK}/first ${tree})

run(${tree}/bin/bkd inspect cifar10_lt_100_bkd)
if(NOT out MATCHES "${tree}/share/bkd/recipes/cifar10_lt_100_bkd.toml")
    message(FATAL_ERROR "the moved program does not read the recipes of its own tree:\n${out}")
endif()

# No installed file of the package names the folders it came from.
file(GLOB package ${tree}/lib/cmake/bkd/*.cmake)
foreach(file ${package})
    file(READ ${file} text)
    foreach(folder ${SOURCE} ${BUILD} ${WORK}/first)
        string(FIND "${text}" "${folder}" at)
        if(NOT at EQUAL -1)
            message(FATAL_ERROR "${file} names ${folder}")
        endif()
    endforeach()
endforeach()

# What an installed header includes of ours is installed.
file(GLOB_RECURSE headers ${tree}/include/bkd/*.h)
list(LENGTH headers count)
if(count LESS 100)
    message(FATAL_ERROR "${count} headers are installed")
endif()
foreach(header ${headers})
    file(STRINGS ${header} lines REGEX "^#include \"")
    foreach(line ${lines})
        string(REGEX REPLACE "^#include \"(.*)\".*" "\\1" included "${line}")
        if(NOT EXISTS ${tree}/include/bkd/${included})
            message(FATAL_ERROR "${header} includes ${included}, which is not installed")
        endif()
    endforeach()
endforeach()

run(${CMAKE_COMMAND} -S ${SOURCE}/tests/install -B ${WORK}/build -G Ninja -DCMAKE_BUILD_TYPE=Release
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${tree})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/embed_engine)
message(STATUS "${out}")
file(REMOVE_RECURSE ${WORK})
