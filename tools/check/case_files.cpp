// The files of a run for other programs and for people: CSV, JUnit, HTML.
#include "tools/check/case_record.h"
#include "tools/report/html.h"
#include "tools/version.h"
#include "train/run_folder.h"

#include <algorithm>
#include <chrono>
#include <map>

namespace bkd {
namespace {

using kernels::CaseStatus;

std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

std::string csv_number(double x) {
    return std::isnan(x) ? "nan" : std::isinf(x) ? (x > 0 ? "inf" : "-inf") : fmt::format("{}", x);
}

// Text of several lines for an element or a double-quoted attribute.
std::string escaped_lines(const std::string& text) {
    std::string out;
    for (std::size_t at = 0, end = 0; at <= text.size(); at = end + 1) {
        end = std::min(text.find('\n', at), text.size());
        out += (at == 0 ? "" : "\n") + escaped(std::string_view(text).substr(at, end - at));
    }
    return out;
}

std::map<std::string, std::vector<const CaseRecord*>> by_op(std::span<const CaseRecord> records) {
    std::map<std::string, std::vector<const CaseRecord*>> ops;
    for (const CaseRecord& record : records) ops[record.op].push_back(&record);
    return ops;
}

std::ptrdiff_t failures(const std::vector<const CaseRecord*>& records) {
    return std::ranges::count_if(records, [](const CaseRecord* r) { return r->is_failure(); });
}

bool is_left_out(const CaseRecord* r) {
    return r->result.status == CaseStatus::unsupported || r->result.status == CaseStatus::skip;
}

// From white over a pale yellow at half of the limit to red at the limit and beyond.
std::string heat(double ratio) {
    const double x = std::clamp(ratio, 0.0, 1.0);
    return fmt::format("rgb(255,{},{})", static_cast<int>(255 - 120 * x * x), static_cast<int>(255 - 200 * x));
}

}

std::string csv_of(const RunFacts& facts, std::span<const CaseRecord> records) {
    std::string csv = "schema,time,version,commit,build,device,driver,cuda,cudnn,op,case,dtype,dist,seed,status,kind,"
                      "worst_ratio,max_abs,max_rel,ulp,nmse,first_bad_index,got,want,ns_median,ns_iqr,flops,bytes,"
                      "gflops,gbs,roofline,reproducer\n";
    const std::string head =
        fmt::format("bkd.check-ops/1,{},{},{},{},{},{},{},{}", time_text(std::chrono::system_clock::now()),
                    program_version(), program_commit(), csv_field(build_description()), csv_field(facts.description),
                    csv_field(facts.driver), csv_field(facts.cuda), csv_field(facts.cudnn));
    for (const CaseRecord& record : records) {
        const kernels::CaseResult& r = record.result;
        const bool is_timed = record.median_ns > 0;
        const auto timed = [&](double x) { return is_timed ? csv_number(x) : std::string(); };
        const bool has_place = !r.index.empty();
        csv +=
            fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", head, record.op,
                        csv_field(r.id), record.dtype, record.dist, r.seed, kernels::name_of(r.status),
                        kernels::name_of(r.kind), csv_number(r.worst_ratio), csv_number(r.max_abs),
                        csv_number(r.max_rel), csv_number(r.ulp), csv_number(r.nmse),
                        csv_field(fmt::format("{}", fmt::join(r.index, " "))), has_place ? csv_number(r.got) : "",
                        has_place ? csv_number(r.want) : "", timed(record.median_ns), timed(record.quartile_range_ns),
                        timed(record.flops), timed(record.bytes), timed(record.flops / record.median_ns),
                        timed(record.bytes / record.median_ns), timed(record.share), csv_field(record.reproducer));
    }
    return csv;
}

std::string junit_of(const RunFacts& facts, std::span<const CaseRecord> records, double seconds) {
    const auto ops = by_op(records);
    std::ptrdiff_t failed = 0, skipped = 0;
    for (const auto& [op, cases] : ops) {
        failed += failures(cases);
        skipped += std::ranges::count_if(cases, is_left_out);
    }
    std::string xml = fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"bkd check-ops {}\" "
                                  "tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3f}\">\n",
                                  escaped(facts.mode), records.size(), failed, skipped, seconds);
    for (const auto& [op, cases] : ops) {
        xml += fmt::format("<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n<properties>\n", op,
                           cases.size(), failures(cases), std::ranges::count_if(cases, is_left_out));
        for (const auto& [name, value] : {std::pair<const char*, std::string>{"version", program_version()},
                                          {"commit", program_commit()},
                                          {"build", build_description()},
                                          {"device", facts.description},
                                          {"against", facts.against},
                                          {"driver", facts.driver},
                                          {"cuda", facts.cuda},
                                          {"cudnn", facts.cudnn}})
            xml += fmt::format("<property name=\"{}\" value=\"{}\"/>\n", name, escaped(value));
        xml += "</properties>\n";
        for (const CaseRecord* record : cases) {
            xml += fmt::format("<testcase classname=\"bkd.{}.{}\" name=\"{}\"", facts.device, op,
                               escaped(record->result.id));
            if (record->is_failure()) {
                const bool is_fail = record->result.status == CaseStatus::fail;
                const char* type =
                    is_fail ? kernels::name_of(record->result.kind) : kernels::name_of(record->result.status);
                xml += fmt::format("><failure type=\"{}\" message=\"{}\">{}</failure></testcase>\n", type,
                                   escaped_lines(record->result.detail), escaped_lines(failure_text(facts, *record)));
            } else if (is_left_out(record)) {
                xml += fmt::format("><skipped message=\"{}\"/></testcase>\n", escaped_lines(record->result.detail));
            } else {
                xml += "/>\n";
            }
        }
        xml += "</testsuite>\n";
    }
    return xml + "</testsuites>\n";
}

std::string html_of(const RunFacts& facts, std::span<const CaseRecord> records, double seconds) {
    const auto ops = by_op(records);
    std::string html = fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta "
        "http-equiv=\"Content-Security-Policy\" "
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<meta name=\"viewport\" "
        "content=\"width=device-width\">\n<title>bkd check-ops {0}</title>\n<style>\nbody {{ font: 15px/1.4 "
        "sans-serif; "
        "margin: 1.5em; max-width: 60em; }}\ntable {{ border-collapse: collapse; }}\nth, td {{ padding: 2px 10px; "
        "text-align: right; border-bottom: 1px solid #ddd; }}\nth:first-child, td:first-child {{ text-align: left; "
        "}}\npre {{ overflow-x: auto; background: #f6f6f6; padding: 8px; }}\n</style></head><body>\n<h1>check-ops "
        "{0}</h1>\n<p>{1} against {2}, seed {3}, {4} cases in {5:.1f} s. bkd {6} ({7}), {8}.</p>\n",
        escaped(facts.mode), escaped(facts.description), escaped(facts.against), facts.seed, records.size(), seconds,
        program_version(), program_commit(), escaped(build_description()));
    html += "<h2>Worst error of its limit</h2>\n<table><tr><th>op</th><th>passed</th><th>failed</th><th>f32</th>"
            "<th>bf16</th></tr>\n";
    for (const auto& [op, cases] : ops) {
        const std::ptrdiff_t failed = failures(cases);
        html += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td>", op,
                            static_cast<std::ptrdiff_t>(cases.size()) - failed, failed);
        for (const char* dtype : {"f32", "bf16"}) {
            double worst = -1;
            for (const CaseRecord* record : cases)
                if (record->dtype == dtype) worst = std::max(worst, record->result.worst_ratio);
            html += worst < 0 ? std::string("<td>-</td>")
                              : fmt::format("<td style=\"background:{}\">{:.3f}</td>", heat(worst), worst);
        }
        html += "</tr>\n";
    }
    html += "</table>\n<h2>Failures</h2>\n";
    std::string lines;
    for (const CaseRecord& record : records)
        if (record.is_failure()) lines += failure_text(facts, record);
    return html + (lines.empty() ? "<p>none</p>\n" : "<pre>" + escaped_lines(lines) + "</pre>\n") + "</body></html>\n";
}

}
