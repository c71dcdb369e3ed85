#pragma once
// Runs the program itself and keeps what it said.
#include "tests/contains.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace bkd::test {

struct Said {
    int code = 0;
    std::string out, err;
};

inline std::string text_of_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// `words` as a shell would take them; standard output and error lie in `folder` meanwhile.
inline Said run_program(const std::string& folder, const std::string& words, const std::string& program = BKD_PROGRAM) {
    const std::string command = program + " " + words + " >" + folder + "/out 2>" + folder + "/err </dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text_of_file(folder + "/out"),
            text_of_file(folder + "/err")};
}

// `words` as they are, in the folder, with nothing in the environment that the program reads.
inline Said run_words(const std::string& folder, const std::vector<std::string>& words) {
    const pid_t child = ::fork();
    if (child == 0) {
        for (const char* name : {"BKD_DATA", "BKD_DEVICE", "XDG_CONFIG_HOME"}) ::unsetenv(name);
        std::vector<char*> arguments{const_cast<char*>(BKD_PROGRAM)};
        for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        bool is_ready = ::chdir(folder.c_str()) == 0;
        const char* const files[] = {"/dev/null", ".out", ".err"};
        for (int fd = 0; fd < 3; ++fd)
            is_ready = is_ready &&
                       ::dup2(::open(files[fd], fd == 0 ? O_RDONLY : O_CREAT | O_TRUNC | O_WRONLY, 0600), fd) == fd;
        if (is_ready) ::execv(BKD_PROGRAM, arguments.data());
        ::_exit(127);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text_of_file(folder + "/.out"),
            text_of_file(folder + "/.err")};
}

// A command line that is refused: its exit code, and what the one message says.
struct Refused {
    std::string words;
    int code;
    std::string said;
};

inline void check_rows(const std::string& folder, const std::vector<Refused>& rows) {
    for (const Refused& row : rows) {
        CAPTURE(row.words);
        const Said said = run_program(folder, row.words);
        CAPTURE(said.err);
        CHECK(said.code == row.code);
        CHECK(contains(said.err, row.said));
        CHECK(said.out.empty());
    }
}

}
