#pragma once
// The command line of a verb: what it takes, and its help, said once. CLI11 is seen by options.cpp alone.
//
//   Options options("eval", "Metrics of a model on a split", {"bkd eval m.safetensors --data cifar10 --split test"});
//   options.value("--split", split, "train or test");
//   options.parse(arguments);   InputError E0202 unknown, E0203 bad value, E0204 twice, E0206 missing, E0207 surplus,
//                               E0208 without effect
#include "kernels/backend.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace bkd {

class Options {
public:
    // `examples` are whole commands, shown by --help.
    Options(std::string verb, std::string summary, std::vector<std::string> examples);
    ~Options();
    Options(const Options&) = delete;

    // "--name" or "-n,--name". The value stays as it is when the option is not given; help shows it as the default.
    void flag(const std::string& names, bool& value, const std::string& help);
    // A text is never empty, a number lies in low..high: E0203. A whole number that starts below `low` has no default
    // to show.
    void value(const std::string& names, std::string& value, const std::string& help);
    void value(const std::string& names, std::int64_t& value, std::int64_t low, std::int64_t high,
               const std::string& help);
    void value(const std::string& names, double& value, double low, double high, const std::string& help);
    // Nothing where the option is not given.
    void value(const std::string& names, std::optional<std::int64_t>& value, std::int64_t low, std::int64_t high,
               const std::string& help);
    void value(const std::string& names, std::optional<double>& value, double low, double high,
               const std::string& help);
    void choice(const std::string& names, std::string& value, std::vector<std::string> choices,
                const std::string& help);
    // Everything that is no option: from `fewest` to `most` words.
    void words(const std::string& name, std::vector<std::string>& words, std::size_t fewest, std::size_t most,
               const std::string& help);
    static constexpr std::size_t any_number = SIZE_MAX;
    // These options have an effect in one, or some, of the verb's modes only; check_mode() refuses them in another:
    // E0208.
    void only_in(const char* mode, const std::vector<std::string>& names) {
        only_in(std::vector<std::string>{mode}, names);
    }
    void only_in(const std::vector<std::string>& modes, const std::vector<std::string>& names);
    void check_mode(const std::string& mode) const;
    // Words may be key=value: an unknown option that is near a recipe's key is answered with the override.
    void takes_overrides() { takes_overrides_ = true; }

    // False if help was asked for: it has been printed to stdout, the verb returns 0.
    bool parse(const std::vector<std::string>& arguments);

private:
    [[noreturn]] void fail_unknown(const std::vector<std::string>& arguments) const;
    void check_words() const;

    std::string verb_;
    std::vector<std::string> examples_, names_;
    std::vector<std::pair<std::vector<std::string>, std::string>> modes_;  // of an option, and its name
    std::unique_ptr<CLI::App> app_;
    std::string words_name_;
    std::size_t fewest_words_ = 0, most_words_ = 0;
    bool takes_overrides_ = false;
    const std::vector<std::string>* words_ = nullptr;
};

// Options of every verb that computes.
struct MachineOptions {
    std::string device = "auto";
    std::int64_t threads = 0;  // 0: not given
    void add_to(Options& options);
    // `auto` is the first usable GPU, else the CPU. InputError E0801 for a device that is not here.
    Device chosen_device() const;
    int chosen_threads() const;  // 0: as many as allowed; warns on standard error of more than those
    BackendOptions backend() const { return {.threads = chosen_threads()}; }
};

// "0.5,0.25": numbers separated by commas; E0203.
std::vector<float> parse_numbers(const std::string& option, const std::string& text);

std::vector<std::string> split_at_commas(const std::string& text);  // without empty parts

// Words of a command line: a recipe, the first that is no key=value, and overrides. A later word that is no override
// stays among them, for the loader of recipes to refuse by its number: E0205.
struct RecipeWords {
    std::string recipe;  // empty: none
    std::vector<std::string> overrides;
};
RecipeWords split_overrides(const std::vector<std::string>& words);

}
