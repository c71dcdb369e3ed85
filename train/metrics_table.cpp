#include "train/metrics_table.h"

#include "engine/file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace bkd {
namespace {

constexpr std::uint64_t byte_limit = 64 << 20;

std::string field(const std::optional<double>& value) { return value ? fmt::format("{}", *value) : std::string(); }

template <typename Number>
bool read_number(std::string_view text, Number& into) {
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    return error == std::errc() && stop == text.data() + text.size();
}

std::vector<std::string_view> split(std::string_view line) {
    std::vector<std::string_view> fields;
    for (std::size_t at = 0, end = 0; end != std::string_view::npos; at = end + 1) {
        end = line.find(',', at);
        fields.push_back(line.substr(at, end == std::string_view::npos ? end : end - at));
    }
    return fields;
}

}

std::string metrics_row(const std::string& stage, std::int64_t step, const EpochReport& report) {
    const std::string begin = fmt::format("{},{},{},{}", stage, report.epoch, step, report.loss);
    if (!report.metrics) return fmt::format("{},,,,,,,,{}", begin, report.learning_rate);
    const Metrics& m = *report.metrics;
    return fmt::format("{},{},{},{},{},{},{},{},{}", begin, m.top1, field(m.top5), m.balanced,
                       field(m.shot(Shot::many)), field(m.shot(Shot::medium)), field(m.shot(Shot::few)), m.loss,
                       report.learning_rate);
}

std::vector<MetricsRow> read_metrics_table(const std::filesystem::path& path, const FileSystem& system) {
    std::vector<MetricsRow> rows;
    std::error_code unknown;
    if (!std::filesystem::exists(path, unknown) && !unknown) return rows;
    const std::vector<std::byte> bytes = read_file(path, byte_limit, {}, system);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const auto columns = static_cast<std::size_t>(std::ranges::count(metrics_header, ',') + 1);
    std::int64_t number = 0;
    // What follows the last line's end was not written to its end.
    for (std::size_t at = 0, end = text.find('\n'); end != std::string_view::npos;
         at = end + 1, end = text.find('\n', at)) {
        const std::string_view line = text.substr(at, end - at);
        const auto refuse = [&](std::string what) {
            throw InputError({.id = 404,
                              .what = std::move(what),
                              .at = fmt::format("{}:{}", printable(path.string()), number),
                              .why = "each row is of an epoch of the run"});
        };
        if (++number == 1) {
            if (line != metrics_header) refuse("no table of a run's epochs: its first line is another");
            continue;
        }
        const std::vector<std::string_view> fields = split(line);
        if (fields.size() != columns) refuse(fmt::format("row of {} fields, {} are expected", fields.size(), columns));
        MetricsRow row{.line = std::string(line), .stage = std::string(fields[0])};
        if (!read_number(fields[1], row.epoch) || !read_number(fields[2], row.step) ||
            !read_number(fields[3], row.loss))
            refuse("epoch, step or loss of the row is no number");
        rows.push_back(std::move(row));
    }
    return rows;
}

}
