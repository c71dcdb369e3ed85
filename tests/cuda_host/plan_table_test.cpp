// The table of cuDNN's engines as a file.
#include "kernels/cuda/plan_table.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

using bkd::kernels::cuda::PlanTable;

TEST_CASE("a table of engines that is written is read again, choice for choice") {
    const bkd_test::TemporaryFolder folder;
    const std::string path = (folder / "plans.txt").string();
    PlanTable table;
    table.add("cudnn 9.19 compute 9.0: forward f32>f32 += 0 x 1 2 3 4", 3);
    table.add("cudnn 9.19 compute 9.0: weight bf16>f32 += 1 x 1 2 3 4", 0);
    table.add("cudnn 9.19 compute 9.0: weight bf16>f32 += 1 x 1 2 3 4", 12);
    table.write(path);
    const PlanTable again = PlanTable::read(path);
    CHECK(again.size() == 2);
    CHECK(again.find("cudnn 9.19 compute 9.0: forward f32>f32 += 0 x 1 2 3 4") == 3);
    CHECK(again.find("cudnn 9.19 compute 9.0: weight bf16>f32 += 1 x 1 2 3 4") == 12);
    CHECK_FALSE(again.find("cudnn 9.20 compute 9.0: forward f32>f32 += 0 x 1 2 3 4"));
    again.write((folder / "again.txt").string());
    CHECK(folder.text(folder / "again.txt") == folder.text(path));
    CHECK_FALSE(std::filesystem::exists(path + ".new"));
}

TEST_CASE("a line that is no choice of an engine is refused with the file's name and the line's number") {
    const bkd_test::TemporaryFolder folder;
    const std::string path = (folder / "plans.txt").string();
    for (const char* line : {"forward", "forward: ", "forward: three", "forward: 3x", "forward: -1", "forward: 3 ",
                             "forward:3", "forward: 99999999999"}) {
        CAPTURE(line);
        folder.write("plans.txt", std::string("# a comment\n\nforward: 3\n") + line + "\n");
        try {
            PlanTable::read(path);
            FAIL("accepted");
        } catch (const bkd::InputError& error) {
            CHECK(error.id() == "E0404");
            CHECK(error.parts().at == path);
            CHECK(error.parts().what.find("line 4 ") != std::string::npos);
        }
    }
}

TEST_CASE("a table that chooses twice or cannot be read is refused: it decides bits") {
    const bkd_test::TemporaryFolder folder;
    folder.write("plans.txt", "forward: 3\ndata: 1\nforward: 3\n");
    try {
        PlanTable::read((folder / "plans.txt").string());
        FAIL("accepted");
    } catch (const bkd::InputError& error) {
        CHECK(error.id() == "E0404");
        CHECK(error.parts().what.find("line 3 chooses a second engine") != std::string::npos);
    }
    CHECK(bkd_test::id_of([&] { PlanTable::read(folder.path().string()); }) == "E0502");
}

TEST_CASE("a table that is not there is empty; one that cannot be written is E0601") {
    const bkd_test::TemporaryFolder folder;
    CHECK(PlanTable::read((folder / "none.txt").string()).size() == 0);
    PlanTable table;
    table.add("forward", 1);
    CHECK(bkd_test::id_of([&] { table.write((folder / "no" / "plans.txt").string()); }) == "E0601");
    CHECK(bkd_test::id_of([&] { table.write(folder.path().string()); }) == "E0601");  // a folder
    CHECK_FALSE(std::filesystem::exists(folder.path().string() + ".new"));
}
