#include "tools/options.h"
#include "tools/terminal.h"

#include "train/schema.h"
#include "train/schema_nearest.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <sstream>

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

// `value` is a Number or an optional one.
template <class Number, class Value>
CLI::Option* number_option(CLI::App& app, const std::string& names, Value& value, Number low, Number high,
                           const std::string& help) {
    const std::string name = longest_name(names);
    return app
        .add_option_function<std::string>(
            names,
            [&value, name, low, high](const std::string& text) {
                Number parsed{};
                const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
                if (error != std::errc{} || end != text.data() + text.size() || !(parsed >= low && parsed <= high))
                    bad_value(name, fmt::format("{}..{}", low, high), text);
                value = parsed;
            },
            help)
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
    const std::string name = longest_name(names);
    CLI::Option* option = app_->add_option_function<std::string>(
                                  names,
                                  [&value, name](const std::string& text) {
                                      if (text.empty()) bad_value(name, "a text that is not empty", text);
                                      value = text;
                                  },
                                  help)
                              ->type_name("TEXT");
    if (!value.empty()) option->default_str(value);
}

void Options::value(const std::string& names, std::int64_t& value, std::int64_t low, std::int64_t high,
                    const std::string& help) {
    names_.push_back(longest_name(names));
    CLI::Option* option = number_option(*app_, names, value, low, high, help);
    if (value >= low) option->default_str(fmt::format("{}", value));
}

void Options::value(const std::string& names, double& value, double low, double high, const std::string& help) {
    names_.push_back(longest_name(names));
    number_option(*app_, names, value, low, high, help)->default_str(fmt::format("{}", value));
}

void Options::value(const std::string& names, std::optional<std::int64_t>& value, std::int64_t low, std::int64_t high,
                    const std::string& help) {
    names_.push_back(longest_name(names));
    number_option(*app_, names, value, low, high, help);
}

void Options::value(const std::string& names, std::optional<double>& value, double low, double high,
                    const std::string& help) {
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

void Options::words(const std::string& name, std::vector<std::string>& words, std::size_t fewest, std::size_t most,
                    const std::string& help) {
    words_name_ = name;
    fewest_words_ = fewest;
    most_words_ = most;
    words_ = &words;
    app_->add_option(name, words, help)->type_name("");
}

bool Options::parse(const std::vector<std::string>& arguments) {
    try {
        app_->parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them last first
    } catch (const CLI::CallForHelp&) {
        std::fputs(app_->help().c_str(), stdout);
        return false;
    } catch (const CLI::ExtrasError&) { fail_unknown(arguments); } catch (const CLI::ArgumentMismatch& error) {
        // "--seed: At Most 1 required but received 2" or "--seed: 1 required N missing"
        const std::string said = error.what();
        const std::string option = printable(said.substr(0, said.find(':')));
        const bool is_twice = said.find("received") != std::string::npos;
        throw InputError({.id = is_twice ? 204 : 203,
                          .what = fmt::format("{} {}", option, is_twice ? "is given twice" : "needs a value"),
                          .at = "option " + option,
                          .try_ = fmt::format("bkd {} --help", verb_)});
    } catch (const CLI::ParseError& error) {
        throw InputError({.id = 203, .what = printable(error.what()), .try_ = fmt::format("bkd {} --help", verb_)});
    }
    if (words_ != nullptr) check_words();
    return true;
}

void Options::only_in(const std::vector<std::string>& modes, const std::vector<std::string>& names) {
    for (const std::string& name : names) modes_.emplace_back(modes, name);
}

void Options::check_mode(const std::string& mode) const {
    for (const auto& [of, name] : modes_)
        if (std::find(of.begin(), of.end(), mode) == of.end() && app_->count(name) > 0)
            throw InputError({.id = 208,
                              .what = fmt::format("{} has no effect in bkd {} {}", name, verb_, mode),
                              .at = "option " + name,
                              .try_ = fmt::format("bkd {} {} {}", verb_, of.front(), name)});
}

void Options::fail_unknown(const std::vector<std::string>& arguments) const {
    const auto unknown = std::find_if(arguments.begin(), arguments.end(), [&](const std::string& word) {
        return word.starts_with("-") &&
               std::find(names_.begin(), names_.end(), word.substr(0, word.find('='))) == names_.end();
    });
    if (unknown == arguments.end())  // of a verb that takes no words
        throw InputError({.id = 207,
                          .what = fmt::format("bkd {} takes options alone: \"{}\" is too much", verb_,
                                              printable(app_->remaining().front())),
                          .try_ = fmt::format("bkd {} --help", verb_)});
    const std::string word = *unknown;
    const std::string option = word.substr(0, word.find('='));
    std::string advice = nearest_word(option, names_);
    if (advice.empty() && takes_overrides_ && option.starts_with("--")) {
        const bool has_value = option.size() < word.size(), has_next = unknown + 1 < arguments.end();
        const std::string next = has_next && !unknown[1].starts_with("-") ? unknown[1] : "VALUE";
        const std::string value = has_value ? word.substr(option.size() + 1) : next;
        if (const std::vector<std::string> keys = keys_meant_by(option.substr(2)); !keys.empty())
            advice = fmt::format("key {}: write {}={}", fmt::join(keys, " or "), keys.front(), printable(value));
    }
    throw InputError({.id = 202,
                      .what = fmt::format("bkd {} has no option \"{}\"", verb_, printable(option)),
                      .try_ = advice.empty() ? fmt::format("bkd {} --help", verb_) : advice});
}

void Options::check_words() const {
    const auto refuse = [&](int id, std::string what) {
        throw InputError({.id = id, .what = std::move(what), .try_ = fmt::format("bkd {} --help", verb_)});
    };
    if (words_->size() < fewest_words_) refuse(206, fmt::format("bkd {} needs {}", verb_, words_name_));
    if (std::find(words_->begin(), words_->end(), "") != words_->end())
        refuse(206, fmt::format("bkd {} got an empty word where {} belongs", verb_, words_name_));
    if (words_->size() > most_words_)
        refuse(207, fmt::format("\"{}\" is one word too many for bkd {}", printable((*words_)[most_words_]), verb_));
}

void MachineOptions::add_to(Options& options) {
    if (const char* from = std::getenv("BKD_DEVICE"); from != nullptr && *from != '\0') device = from;
    options.value("--device", device, "cpu, cuda, cuda:N, reference or auto");
    options.value("--threads", threads, 1, 1024,
                  "CPU threads; without it as many as the affinity mask and the cgroup allow");
}

int MachineOptions::chosen_threads() const {
    if (threads > allowed_threads())
        say("warning: {} threads on {} allowed processors take turns\n", threads, allowed_threads());
    return static_cast<int>(threads);
}

Device MachineOptions::chosen_device() const {
    const Device chosen = device == "auto" ? default_device() : Device::parse(device);
    if (chosen.kind == DeviceKind::plan)
        throw InputError({.id = 203,
                          .what = "--device plan executes nothing, and this verb reports what was computed",
                          .at = "option --device",
                          .try_ = "--device cpu"});
    return chosen;
}

std::vector<float> parse_numbers(const std::string& option, const std::string& text) {
    std::vector<float> values;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, ',');) {
        float value = 0;
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
        if (error != std::errc{} || end != part.data() + part.size())
            throw InputError(
                {.id = 203,
                 .what = fmt::format("{} takes numbers separated by commas, got \"{}\"", option, printable(text)),
                 .at = "option " + option});
        values.push_back(value);
    }
    return values;
}

RecipeWords split_overrides(const std::vector<std::string>& words) {
    RecipeWords split;
    for (const std::string& word : words) {
        const bool is_override = word.find('=') != std::string::npos && word.find('/') > word.find('=');
        if (split.recipe.empty() && !is_override)
            split.recipe = word;
        else
            split.overrides.push_back(word);
    }
    return split;
}

std::vector<std::string> split_at_commas(const std::string& text) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        if (comma > at) parts.push_back(text.substr(at, comma - at));
        at = comma + 1;
    }
    return parts;
}

}
