// The first words: Shape, View, DType, Device, errors, arguments.
#include "kernels/backend.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

namespace bkd {
namespace {

TEST_CASE("a shape counts its elements, and a scalar has one") {
    CHECK(Shape{}.count() == 1);
    CHECK(Shape{2, 3, 5}.count() == 30);
    CHECK(Shape{2, 0, 5}.count() == 0);
    CHECK(Shape{2, 3, 5}.product(1, 3) == 15);
    CHECK(Shape{2, 3, 5}.str() == "[2, 3, 5]");
    CHECK(Shape{2, 3} != Shape{2, 3, 1});
}

TEST_CASE("a negative axis counts from the end") {
    const Shape shape{2, 3, 5};
    CHECK(shape[-1] == 5);
    CHECK(shape[-3] == 2);
    CHECK_THROWS_WITH_AS(shape[3], "Shape: axis: axis 3 of 3", LogicError);
    CHECK_THROWS_WITH_AS(shape[-4], "Shape: axis: axis -4 of 3", LogicError);
}

TEST_CASE("a shape of more elements than 2^63 - 1 is an error, not a small number") {
    const std::int64_t large = std::int64_t{1} << 32;
    CHECK(Shape{large, large / 4}.count() == std::int64_t{1} << 62);
    CHECK_THROWS_WITH_AS((Shape{large, large / 2}).count(), doctest::Contains("[4294967296, 2147483648] overflows"),
                         LogicError);
    CHECK_THROWS_WITH_AS((Shape{-1}), doctest::Contains("extent -1 is negative"), LogicError);
    CHECK_THROWS_WITH_AS((Shape{1, 1, 1, 1, 1, 1}), doctest::Contains("more than 5 axes"), LogicError);
}

TEST_CASE("a view is read only as what it holds and reshaped only to as many elements") {
    float numbers[6] = {};
    const View view{numbers, {2, 3}};
    CHECK(view.bytes() == 24);
    CHECK(view.reshaped({3, 2}).shape == Shape{3, 2});
    CHECK_THROWS_WITH_AS(view.reshaped({7}), doctest::Contains("[2, 3] has not the elements of [7]"), LogicError);
    CHECK_THROWS_WITH_AS(view.as<double>(), doctest::Contains("a f32 view read as f64"), LogicError);
    CHECK_FALSE(static_cast<bool>(View{}));
}

TEST_CASE("a device is parsed from its own text, and from nothing else") {
    for (const char* text : {"cpu", "reference", "plan", "cuda:0", "cuda:7"}) CHECK(Device::parse(text).str() == text);
    CHECK(Device::parse("cuda") == Device{DeviceKind::cuda, 0});
    for (const char* text : {"", "gpu", "cuda:", "cuda:-1", "cuda:1x", "cuda:99999999999", "CPU", "cpu:0"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(Device::parse(text), InputError);
    }
    try {
        Device::parse("gp\nu");
    } catch (const InputError& error) {
        CHECK(error.id() == "E0203");
        CHECK(error.exit_code() == 2);
        CHECK(error.parts().what == "--device must be cpu, cuda, cuda:N, reference or plan, got \"gp\\x0au\"");
    }
}

// Which refusal it is depends on the machine: no backend, no driver, no device, or none of this number.
TEST_CASE("a device that is not there is refused by its name, with a way on") {
    try {
        open_backend({DeviceKind::cuda, 999});
        CHECK(false);
    } catch (const InputError& error) {
        CHECK(error.exit_code() == 8);
        CHECK(error.message().find("cuda:999") != std::string::npos);
        CHECK(error.message().find("--device c") != std::string::npos);
    }
}

TEST_CASE("an input error prints id, place, source, reason and a remedy, and leaves out what it has not") {
    const InputError full({.id = 302,
                           .what = "unknown key \"method.nmae\"",
                           .at = "exp.toml:14:1",
                           .source = "nmae = \"bkd\"\n^~~~",
                           .why = "keys are fixed",
                           .try_ = "method.name"});
    CHECK(full.message() == "error[E0302]: unknown key \"method.nmae\"\n"
                            "  at:  exp.toml:14:1\n"
                            "       nmae = \"bkd\"\n"
                            "       ^~~~\n"
                            "  why: keys are fixed\n"
                            "  try: method.name\n");
    CHECK(full.exit_code() == 3);
    CHECK(InputError({.id = 1201, .what = "w"}).message() == "error[E1201]: w\n");
}

TEST_CASE("text from strangers is made safe to print") {
    CHECK(printable("plain, Zürich, 猫") == "plain, Zürich, 猫");
    CHECK(printable("a\x1b[31m\n\x7f") == "a\\x1b[31m\\x0a\\x7f");
    CHECK(printable("\xc2\x9b") == "\\xc2\\x9b");                   // C1: the eight-bit escape
    CHECK(printable("a\xe2\x80\xaegpj") == "a\\xe2\\x80\\xaegpj");  // U+202E: what follows is shown from right to left
    CHECK(printable("\xe2\x80\x94") == "\xe2\x80\x94");             // a dash
    CHECK(printable("\xc0\xaf") == "\\xc0\\xaf");                   // overlong
    CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");          // surrogate
    CHECK(printable("\xf4\x90\x80\x80").substr(0, 4) == "\\xf4");   // beyond U+10FFFF
    CHECK(printable("x\xe2\x82") == "x\\xe2\\x82");                 // cut in the middle
    CHECK(printable(std::string(203, 'a')) == std::string(200, 'a') + "...(+3)");
}

TEST_CASE("every tensor of an argument struct is visited in order, nested targets too, and those left out are not") {
    float data[1] = {};
    const auto view = [&](std::int64_t n) { return View{data, {n}}; };
    const kernels::CrossEntropy args{.z = view(1),
                                     .targets = {.labels = view(2), .dense = view(3)},
                                     .loss = view(4),
                                     .dz = view(5),
                                     .margin = view(6)};
    std::vector<std::pair<std::int64_t, bool>> seen;
    for (const auto& [v, is_output, is_read] : kernels::views_of(args)) seen.emplace_back(v.dim(0), is_output);
    CHECK(seen == std::vector<std::pair<std::int64_t, bool>>{
                      {1, false}, {2, false}, {3, false}, {4, true}, {5, true}, {6, false}});
}

TEST_CASE("an output that may be added to is visited as an output") {
    float data[1] = {};
    const View view{data, {1}};
    const kernels::ViewArguments all = kernels::views_of(kernels::Add{.a = view, .b = view, .y = Out(view, true)});
    REQUIRE(all.size() == 3);
    CHECK(!all[0].is_output);
    CHECK(!all[1].is_output);
    CHECK(all[2].is_output);
}

}
}
