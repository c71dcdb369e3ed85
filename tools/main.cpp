// The program `bkd VERB ...`: finds the verb, and turns whatever goes wrong into one message and an exit code.
#include "tools/verb.h"
#include "tools/version.h"
#include "train/recipe.h"
#include "train/schema_nearest.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <new>
#include <system_error>

namespace bkd {

#define BKD_VERB(word, function, summary) int run_##function(const std::vector<std::string>& arguments);
#include "tools/list.inc"
#undef BKD_VERB

std::span<const Verb> verbs() {
    static constexpr Verb all[] = {
#define BKD_VERB(word, function, summary) {#word, summary, run_##function},
#include "tools/list.inc"
#undef BKD_VERB
    };
    return all;
}

namespace {

void print_help() {
    std::puts("bkd: balanced knowledge distillation for long-tailed learning, from scratch\n"
              "\n"
              "usage: bkd VERB [RECIPE|PATHS] [key=value ...] [--options]\n");
    for (const Verb& verb : verbs()) std::printf("  %-10s %s\n", verb.name, verb.summary);
    std::puts("\n"
              "  bkd train fashion_mnist_lt_100_bkd       a teacher by cross-entropy, then a balanced student\n"
              "  bkd train cifar10_lt_100_resnet8_bkd data.root=../shared/data --seed 2\n"
              "  bkd data stats fashion_mnist --imbalance long_tailed --ratio 100\n"
              "  bkd check-ops --device cpu\n"
              "\n"
              "bkd VERB --help says what a verb takes; README.md and docs/ say why.");
}

int run(const std::vector<std::string>& words) {
    for (const char* word : {"--help", "-h", "--version", "version"})
        if (words.size() > 1 && words[0] == word)
            throw InputError({.id = 207,
                              .what = fmt::format("bkd {} stands alone: \"{}\" is too much", word, printable(words[1])),
                              .try_ = fmt::format("bkd {}", word)});
    if (words.empty() || words[0] == "--help" || words[0] == "-h" || (words[0] == "help" && words.size() == 1)) {
        print_help();
        return 0;
    }
    if (words[0] == "--version" || words[0] == "version") {
        std::printf("bkd %s (%s)\n", program_version(), program_commit());
        return 0;
    }
    const auto find = [](const std::string& word) {
        return std::find_if(verbs().begin(), verbs().end(), [&](const Verb& v) { return word == v.name; });
    };
    if (words[0] == "help" && words.size() == 2) {
        if (words[1] == "help") return run({});
        if (const auto asked = find(words[1]); asked != verbs().end()) return asked->run({"--help"});
    }
    const auto verb = find(words[0]);
    if (verb == verbs().end()) {
        std::vector<std::string> names;
        for (const Verb& v : verbs()) names.emplace_back(v.name);
        const std::string near = nearest_word(words[0], names);
        throw InputError({.id = 201,
                          .what = fmt::format("unknown verb \"{}\"", printable(words[0])),
                          .try_ = near.empty() ? "bkd --help" : fmt::format("bkd {} --help", near)});
    }
    return verb->run({words.begin() + 1, words.end()});
}

void print_error(const InputError& error) { std::fprintf(stderr, "\nbkd: %s", error.message().c_str()); }

// A program started with closed standard files must not open a run's file as one of them. What is written to a closed
// standard output is lost and has to fail; a message may be lost.
void open_standard_files() {
    for (const auto& [fd, access] :
         {std::pair{STDIN_FILENO, O_RDONLY}, {STDOUT_FILENO, O_RDONLY}, {STDERR_FILENO, O_WRONLY}})
        if (fcntl(fd, F_GETFD) < 0) open("/dev/null", access);  // the lowest number that is free: fd
}

}

}

int main(int count, char** words) {
    bkd::open_standard_files();
    std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit is then a failed write, which has a message
    try {
        const int code = bkd::run({words + std::min(count, 1), words + count});
        if (std::fflush(stdout) != 0) throw bkd::InputError({.id = 602, .what = "writing to standard output failed"});
        return code;
    } catch (const bkd::RecipeErrors& errors) {
        for (const bkd::InputError& error : errors.errors()) bkd::print_error(error);
        return errors.exit_code();
    } catch (const bkd::InputError& error) {
        bkd::print_error(error);
        return error.exit_code();
    } catch (const std::filesystem::filesystem_error& error) {
        const std::string path = bkd::printable(error.path1().string());
        const bkd::InputError unreadable =
            error.code() == std::errc::permission_denied
                ? bkd::InputError({.id = 502, .what = fmt::format("not allowed to read {}", path)})
                : bkd::InputError({.id = 504, .what = fmt::format("cannot read {}: {}", path, error.code().message())});
        bkd::print_error(unreadable);
        return unreadable.exit_code();
    } catch (const std::system_error& error) {
        bkd::print_error(bkd::InputError(
            {.id = 602, .what = fmt::format("writing the result failed: {}", error.what()), .at = "standard output"}));
        return 6;
    } catch (const std::bad_alloc&) {
        bkd::print_error(bkd::InputError({.id = 701,
                                          .what = "no memory is left",
                                          .why = "the machine's, or what it allows this process (ulimit -v)",
                                          .try_ = "more of it, fewer threads (--threads 1) or a smaller batch"}));
        return 7;
    } catch (const std::exception& error) {
        std::fprintf(stderr,
                     "\nbkd: internal error: %s\n  try: report it with the command and the output of bkd --version\n",
                     error.what());
        return 70;
    }
}
