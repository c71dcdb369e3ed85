#include "tools/predictions.h"

#include "engine/json.h"
#include "train/predictor.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace bkd {
namespace {

// RFC 4180: quoted where a comma, a quote or the end of a line is inside.
std::string cell(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + "\"";
}

}

PredictionWriter::PredictionWriter(PredictionFormat format) : format_(std::move(format)) {
    const std::size_t classes = format_.class_names.size();
    BKD_CHECK(format_.top_k >= 1 && format_.top_k <= classes, "top {} of {} classes", format_.top_k, classes);
    order_.resize(classes);
    p_.resize(classes);
    for (const std::string& name : format_.class_names) name_width_ = std::max(name_width_, printable(name).size());
}

void PredictionWriter::add(const std::string& input, std::int64_t image, std::span<const float> logits) {
    rank_classes(logits, order_, format_.top_k);
    probabilities(logits, p_);
    add_head();
    if (format_.name == "csv")
        add_csv(input, image);
    else if (format_.name == "table")
        add_table(input, image);
    else
        add_json(input, image);
}

void PredictionWriter::add_failure(const std::string& input, const InputError& error) {
    add_head();
    auto to = std::back_inserter(text_);
    const std::string& what = error.parts().what;
    if (format_.name == "csv")
        fmt::format_to(to, "{},,false,,,{},{}\n", cell(input), std::string(2 * (format_.top_k - 1), ','),
                       cell(fmt::format("{}: {}", error.id(), what)));
    else if (format_.name == "table")
        fmt::format_to(to, "{}  not read: {}: {}\n", printable(input), error.id(), what);
    else
        fmt::format_to(to, "{{\"input\":{},\"ok\":false,\"error\":{{\"id\":\"{}\",\"what\":{}}}}}\n",
                       json_quoted(input), error.id(), json_quoted(what));
}

std::string PredictionWriter::take_text() { return std::exchange(text_, {}); }

void PredictionWriter::add_head() {
    if (std::exchange(has_head_, true) || format_.name != "csv") return;
    text_ += "input,image,ok,label,index,p";
    for (std::size_t k = 2; k <= format_.top_k; ++k) text_ += fmt::format(",label{0},p{0}", k);
    text_ += ",error\n";
}

void PredictionWriter::add_json(const std::string& input, std::int64_t image) {
    const auto name = [&](std::int32_t c) { return json_quoted(format_.class_names[static_cast<std::size_t>(c)]); };
    const auto p = [&](std::int32_t c) { return p_[static_cast<std::size_t>(c)]; };
    const std::int32_t best = order_[0];
    auto to = std::back_inserter(text_);
    fmt::format_to(to, "{{\"input\":{},\"image\":{},\"ok\":true,\"label\":{},\"index\":{},\"p\":{},\"top\":[",
                   json_quoted(input), image, name(best), best, p(best));
    for (std::size_t k = 0; k < format_.top_k; ++k)
        fmt::format_to(to, "{}[{},{}]", k == 0 ? "" : ",", name(order_[k]), p(order_[k]));
    text_ += "]}\n";
}

void PredictionWriter::add_csv(const std::string& input, std::int64_t image) {
    auto to = std::back_inserter(text_);
    fmt::format_to(to, "{},{},true", cell(input), image);
    for (std::size_t k = 0; k < format_.top_k; ++k) {
        const auto c = static_cast<std::size_t>(order_[k]);
        fmt::format_to(to, ",{}{},{}", cell(format_.class_names[c]), k == 0 ? fmt::format(",{}", c) : "", p_[c]);
    }
    text_ += ",\n";
}

void PredictionWriter::add_table(const std::string& input, std::int64_t image) {
    auto to = std::back_inserter(text_);
    fmt::format_to(to, "{} {:>5}", printable(input), image);
    for (std::size_t k = 0; k < format_.top_k; ++k) {
        const auto c = static_cast<std::size_t>(order_[k]);
        fmt::format_to(to, "  {:<{}} {:.4f}", printable(format_.class_names[c]), name_width_, p_[c]);
    }
    text_ += "\n";
}

}
