#include "tools/options.h"

#include "train/schema_nearest.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace bkd {
namespace {

[[noreturn]] void bad_value(const std::string& option, const std::string& rule, const std::string& got) {
    throw InputError({.id = 203,
                      .what = fmt::format("{} must be {}, got \"{}\"", option, rule, printable(got)),
                      .at = "option " + option});
}

std::string longest_name(const std::string& names) {
    const std::size_t comma = names.rfind(',');
    return comma == std::string::npos ? names : names.substr(comma + 1);
}

template <class Number>
void number_option(CLI::App& app, const std::string& names, Number& value, Number low, Number high,
                   const std::string& help) {
    const std::string name = longest_name(names);
    app.add_option_function<std::string>(
           names,
           [&value, name, low, high](const std::string& text) {
               Number parsed{};
               const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
               if (error != std::errc{} || end != text.data() + text.size() || !(parsed >= low && parsed <= high))
                   bad_value(name, fmt::format("{}..{}", low, high), text);
               value = parsed;
           },
           help)
        ->default_str(fmt::format("{}", value))
        ->type_name("N");
}

}

Options::Options(std::string verb, std::string summary, std::vector<std::string> examples)
    : verb_(std::move(verb)),
      examples_(std::move(examples)),
      app_(std::make_unique<CLI::App>(std::move(summary), "bkd " + verb_)) {
    app_->get_formatter()->column_width(34);
    std::string footer = "Examples:\n";
    for (const std::string& example : examples_) footer += "  " + example + "\n";
    app_->footer(
        footer +
        "Exit codes: 0 done, 1 negative answer, 2 usage, 3 recipe, 4 bad content, 5 cannot read, 6 cannot write,\n"
        "            7 memory, 8 device, 9 not a number, 10 state, 70 our error");
}

Options::~Options() = default;

void Options::flag(const std::string& names, bool& value, const std::string& help) {
    names_.push_back(longest_name(names));
    app_->add_flag(names, value, help);
}

void Options::value(const std::string& names, std::string& value, const std::string& help) {
    names_.push_back(longest_name(names));
    CLI::Option* option = app_->add_option(names, value, help)->type_name("TEXT");
    if (!value.empty()) option->default_str(value);
}

void Options::value(const std::string& names, std::int64_t& value, std::int64_t low, std::int64_t high,
                    const std::string& help) {
    names_.push_back(longest_name(names));
    number_option(*app_, names, value, low, high, help);
}

void Options::value(const std::string& names, double& value, double low, double high, const std::string& help) {
    names_.push_back(longest_name(names));
    number_option(*app_, names, value, low, high, help);
}

void Options::choice(const std::string& names, std::string& value, std::vector<std::string> choices,
                     const std::string& help) {
    const std::string name = longest_name(names);
    names_.push_back(name);
    app_->add_option_function<std::string>(
            names,
            [&value, name, choices](const std::string& text) {
                if (std::find(choices.begin(), choices.end(), text) == choices.end())
                    bad_value(name, fmt::format("one of {}", fmt::join(choices, ", ")), text);
                value = text;
            },
            fmt::format("{}: {}", help, fmt::join(choices, ", ")))
        ->default_str(value)
        ->type_name("NAME");
}

void Options::words(const std::string& name, std::vector<std::string>& words, std::size_t fewest,
                    const std::string& help) {
    words_name_ = name;
    fewest_words_ = fewest;
    words_ = &words;
    app_->add_option(name, words, help)->type_name("");
}

bool Options::parse(const std::vector<std::string>& arguments) {
    try {
        app_->parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them last first
    } catch (const CLI::CallForHelp&) {
        std::fputs(app_->help().c_str(), stdout);
        return false;
    } catch (const CLI::ExtrasError& error) {
        const auto unknown = std::find_if(arguments.begin(), arguments.end(), [&](const std::string& word) {
            return word.starts_with("-") &&
                   std::find(names_.begin(), names_.end(), word.substr(0, word.find('='))) == names_.end();
        });
        const std::string word = unknown == arguments.end() ? "" : *unknown;
        const std::string near = nearest_word(word, names_);
        throw InputError({.id = 202,
                          .what = fmt::format("bkd {} has no option \"{}\"", verb_, printable(word)),
                          .try_ = near.empty() ? fmt::format("bkd {} --help", verb_) : near});
    } catch (const CLI::ArgumentMismatch& error) {
        throw InputError({.id = 204, .what = printable(error.what()), .try_ = fmt::format("bkd {} --help", verb_)});
    } catch (const CLI::ParseError& error) {
        throw InputError({.id = 203, .what = printable(error.what()), .try_ = fmt::format("bkd {} --help", verb_)});
    }
    if (words_ != nullptr && words_->size() < fewest_words_)
        throw InputError({.id = 206,
                          .what = fmt::format("bkd {} needs {}", verb_, words_name_),
                          .try_ = fmt::format("bkd {} --help", verb_)});
    return true;
}

void MachineOptions::add_to(Options& options) {
    if (const char* from = std::getenv("BKD_DEVICE"); from != nullptr) device = from;
    options.value("--device", device, "cpu, cuda, cuda:N, reference, plan or auto");
    options.value("--threads", threads, 0, 1024, "CPU threads; 0: as many as the affinity mask and the cgroup allow");
}

Device MachineOptions::chosen_device() const {
    const Device chosen = device == "auto" ? Device{DeviceKind::cpu, 0} : Device::parse(device);
    if (chosen.kind == DeviceKind::plan)
        throw InputError({.id = 203,
                          .what = "--device plan executes nothing, and this verb reports what was computed",
                          .at = "option --device",
                          .try_ = "--device cpu"});
    return chosen;
}

RecipeWords split_overrides(const std::vector<std::string>& words) {
    RecipeWords split;
    for (const std::string& word : words)
        (word.find('=') != std::string::npos && word.find('/') > word.find('=') ? split.overrides : split.rest)
            .push_back(word);
    return split;
}

}
