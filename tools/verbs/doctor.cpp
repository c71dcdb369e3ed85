// bkd doctor: what this machine has, one line a fact, each ok, warn or fail with what to do; to be pasted into a report.
#include "engine/json.h"
#include "kernels/machine.h"
#include "tools/options.h"
#include "tools/version.h"

#include <algorithm>
#include <cstdio>

namespace bkd {
namespace {

const char* name_of(Fact::State state) {
    return state == Fact::State::ok ? "ok" : state == Fact::State::warn ? "warn" : "fail";
}

void print_json(const std::vector<Fact>& facts, bool is_good) {
    Json::Array rows;
    for (const Fact& fact : facts)
        rows.push_back(Json::Object{{"name", printable(fact.name)},
                                    {"value", printable(fact.value)},
                                    {"state", name_of(fact.state)},
                                    {"remedy", printable(fact.remedy)}});
    fmt::print("{}\n", Json(Json::Object{{"schema", "bkd.doctor/1"},
                                         {"version", program_version()},
                                         {"commit", program_commit()},
                                         {"good", is_good},
                                         {"facts", rows}})
                           .dump());
}

}

int run_doctor(const std::vector<std::string>& arguments) {
    bool as_json = false;
    Options options(
        "doctor",
        "What this machine has, one line a fact: processor, threads, memory, CUDA backend, driver, devices,\n"
        "and every library with the file it was loaded from. Exit code 1 if a line says fail.",
        {"bkd doctor", "bkd doctor --json"});
    options.flag("--json", as_json, "the result as one JSON document");
    if (!options.parse(arguments)) return 0;
    std::vector<Fact> facts = machine_facts();
    facts.insert(facts.begin(), {"program", fmt::format("bkd {} ({})", program_version(), program_commit())});
    facts.insert(facts.begin() + 1, {"device auto", default_device().str()});
    const bool is_good =
        std::none_of(facts.begin(), facts.end(), [](const Fact& f) { return f.state == Fact::State::fail; });
    if (as_json) {
        print_json(facts, is_good);
    } else {
        for (const Fact& fact : facts) {
            fmt::print("{:<4} {:<30} {}\n", name_of(fact.state), printable(fact.name), printable(fact.value));
            if (fact.state != Fact::State::ok) fmt::print("     {:<30} try: {}\n", "", printable(fact.remedy));
        }
    }
    return is_good ? 0 : 1;
}

}
