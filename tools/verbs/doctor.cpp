// bkd doctor: what this machine has, one line a fact, each ok, warn or fail with what to do; to be pasted into a report.
#include "data/decode.h"
#include "engine/json.h"
#include "kernels/cuda/find.h"
#include "kernels/cuda/plan_table.h"
#include "kernels/machine.h"
#include "tools/options.h"
#include "tools/version.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

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

// The table of cuDNN's engines that a run on `cuda` takes here.
void print_plans(bool as_json) {
    const std::string path = kernels::cuda::plan_table_path();
    std::error_code error;
    const bool is_there = !path.empty() && std::filesystem::exists(path, error);
    const kernels::cuda::PlanTable table = is_there ? kernels::cuda::PlanTable::read(path) : kernels::cuda::PlanTable();
    if (as_json) {
        Json::Array rows;
        for (const auto& [convolution, rank] : table.choices())
            rows.push_back(Json::Object{{"convolution", printable(convolution)}, {"rank", rank}});
        fmt::print("{}\n", Json(Json::Object{{"schema", "bkd.doctor-plans/1"},
                                             {"file", is_there ? Json(printable(path)) : Json()},
                                             {"plans", rows}})
                               .dump());
        return;
    }
    if (path.empty())
        fmt::print("no table of cuDNN's engines: this installation has no CUDA backend\n");
    else if (!is_there)
        fmt::print(
            "no table of cuDNN's engines: {} does not exist, so the first lawful engine of cuDNN's ranking runs\n",
            printable(path));
    else
        fmt::print("{}: {} convolutions, each with its engine's place in cuDNN's ranking\n", printable(path),
                   table.size());
    for (const auto& [convolution, rank] : table.choices()) fmt::print("{:>4}  {}\n", rank, printable(convolution));
}

}

int run_doctor(const std::vector<std::string>& arguments) {
    bool as_json = false, asks_plans = false, asks_properties = false;
    Options options(
        "doctor",
        "What this machine has, one line a fact: processor, threads, memory, CUDA backend, driver, devices,\n"
        "and every library with the file it was loaded from. Exit code 1 if a line says fail.",
        {"bkd doctor", "bkd doctor --json", "bkd doctor --plans", "bkd doctor --cuda-properties > devices.jsonl"});
    options.flag("--json", as_json, "the result as one JSON document");
    options.flag("--plans", asks_plans, "instead: which of cuDNN's engines are taken, by the table beside the backend");
    options.flag("--cuda-properties", asks_properties,
                 "instead: the properties of every CUDA device as cuDNN writes them, JSON on one line each");
    if (!options.parse(arguments)) return 0;
    if (asks_properties) {
        if (as_json || asks_plans)
            throw InputError(
                {.id = 208,
                 .what = fmt::format("{} has no effect beside --cuda-properties", as_json ? "--json" : "--plans"),
                 .try_ = "bkd doctor --cuda-properties"});
        for (const std::string& properties : cuda_device_properties()) fmt::print("{}\n", properties);
        return 0;
    }
    if (asks_plans) {
        print_plans(as_json);
        return 0;
    }
    std::vector<Fact> facts = machine_facts();
    facts.insert(facts.begin(), {"program", fmt::format("bkd {} ({})", program_version(), program_commit())});
    facts.insert(facts.begin() + 1, {"device auto", default_device().str()});
    facts.push_back({"decoders of pictures", picture_decoders()});
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
