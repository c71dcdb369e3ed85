// Pickles that ask for code, that are torn, that contradict themselves; and the few that say tensors.
#include "engine/pickle.h"

#include "tests/engine/pth_variants.h"

using namespace bkd;
using namespace bkd_test;
using namespace bkd_test::pickled;

namespace {

std::string id(const std::string& pickle, UnknownGlobals unknown = UnknownGlobals::refuse) {
    const auto bytes = std::as_bytes(std::span(pickle));
    return id_of([&] { read_pickle({bytes.begin(), bytes.end()}, "x.pth!archive/data.pkl", unknown); });
}
PthVariant variant(const std::string& name, const std::string& value, const char* refused) {
    return {name, pth_of(whole(value), sound_storages), refused};
}
// A state dict whose pickle also holds `value`.
PthVariant beside(const std::string& name, const std::string& value, const char* verdict) {
    const std::string sound = tensor(storage("0", 4), 0, {2, 2}, {2, 1});
    return variant(name, dict({{"a", sound}, {"b", value}}), verdict);
}
std::string repeated(std::size_t times, const std::string& text) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += text;
    return all;
}
// A call of module.name with these arguments.
std::string call(const std::string& module, const std::string& name, const std::vector<std::string>& arguments) {
    return global(module, name) + tuple(arguments) + "R";
}

}

TEST_CASE("a pickle that asks for code is refused by the name of what it asks for, and nothing of it runs") {
    const TemporaryFolder folder;
    const std::string trace = (folder / "trace").string();
    check_variants({
        beside("os.system", call("posix", "system", {text("touch " + trace)}), "E0427"),
        beside("nt.system", call("nt", "system", {text("echo")}), "E0427"),
        beside("subprocess", call("subprocess", "Popen", {text("touch " + trace)}), "E0427"),
        beside("eval", call("builtins", "eval", {text("1+1")}), "E0427"),
        beside("exec of Python 2", call("__builtin__", "exec", {text("pass")}), "E0427"),
        beside("getattr", call("builtins", "getattr", {text("a"), text("b")}), "E0427"),
        beside("import", call("importlib", "import_module", {text("os")}), "E0427"),
        beside("apply", call("functools", "partial", {}), "E0427"),
        beside("a longer name", call("torch._utils", "_rebuild_tensor_v2.__globals__", {}), "E0427"),
        beside("the name as one text", text("posix") + text("system") + "\x93" + ")R", "E0427"),
        beside("a name from the memo", text("posix") + "q\1" + "h\1" + text("system") + "\x93", "E0427"),
        beside("a named tensor's maker", call("torch._utils", "_rebuild_tensor_v3", {}), "E0427"),
        beside("a name with a control", global("\x1b[31m", "x"), "E0427"),
        beside("a name of 600 bytes", global(std::string(600, 'x'), "y"), "E0418"),
        beside("a name without an end", "cposix", "E0402"),
        beside("whole model", global("torch.nn.modules.container", "Sequential") + ")\x81", "E0428"),
    });
    CHECK(!std::filesystem::exists(trace));
    try {
        const std::string file = pth_of(whole(dict({{"a", call("posix", "system", {text("id")})}})), {});
        parse_pth(std::as_bytes(std::span(file)), "evil.pth");
        FAIL("accepted");
    } catch (const InputError& error) {
        CHECK(error.message() == R"(error[E0427]: pickle asks for "posix.system", which is not on the allow-list
  at:  evil.pth!archive/data.pkl @ byte 10
  why: this reader builds tensors only and runs nothing
  try: get the weights as safetensors from the author
)");
    }
}

TEST_CASE("every opcode that makes objects or has a twin is refused, and so is one that does not exist") {
    const std::string forbidden = "012FILPSTVdgilop\x81\x82\x83\x84\x8b\x8e\x91\x92\x96\x97\x98";
    for (const char code : forbidden) {
        CAPTURE(static_cast<int>(static_cast<unsigned char>(code)));
        CHECK(id(std::string("\x80\x02") + "}" + code + std::string(16, '\0') + ".") == "E0418");
    }
    const std::string read = "(.NJKMGXUCB)]aet}suqrhjcRbQ\x80\x85\x86\x87\x88\x89\x8a\x8c\x8d\x8f\x90\x93\x94\x95";
    int unknown = 0;
    for (int code = 0; code < 256; ++code) {
        const char byte = static_cast<char>(code);
        if (forbidden.find(byte) != std::string::npos || read.find(byte) != std::string::npos) continue;
        CHECK(id(std::string("\x80\x02") + byte + ".") == "E0418");
        ++unknown;
    }
    CHECK(unknown == 256 - 68);  // pickletools knows 68 opcodes
}

TEST_CASE("values that an opcode does not take are refused") {
    const std::string sound = tensor(storage("0", 4), 0, {2, 2}, {2, 1});
    check_variants({
        beside("nested values of every kind",
               tuple({"N", "\x88", integer(-1), std::string("G\x40\x09\0\0\0\0\0\0", 9), text("x"), "C\1x", "](NNe",
                      "\x8f(NN\x90", dict({{"k", "N"}}), "\x8a", std::string("\0", 1)}),
               "accepted"),
        beside("tuple marks without values", "(t", "accepted"),
        variant("mark that is not there", "t", "E0418"),
        variant("value that is not there", "\x85", "E0418"),
        variant("value below a mark", "N(\x85", "E0418"),
        variant("item of nothing", "(Na", "E0418"),
        beside("items into what lies below a mark", "](N(e", "E0418"),
        beside("SETITEM on a list", "]" + text("k") + "Ns", "E0418"),
        beside("SETITEMS on a tensor", sound + "(" + text("k") + "Nu", "E0418"),
        beside("APPEND on a dict", "}Na", "E0418"),
        beside("APPEND on a tuple", ")Na", "E0418"),
        beside("ADDITEMS on a list", "](N\x90", "E0418"),
        beside("key without a value", "}(" + text("k") + "u", "E0418"),
        beside("list as a key", "}]Ns", "E0418"),
        beside("REDUCE on text", text("x") + ")R", "E0418"),
        beside("REDUCE on a tensor", sound + ")R", "E0418"),
        beside("REDUCE on a storage's type", global("torch", "FloatStorage") + ")R", "E0418"),
        beside("REDUCE with a list", global("collections", "OrderedDict") + "]R", "E0418"),
        beside("OrderedDict of a number", call("collections", "OrderedDict", {integer(1)}), "E0418"),
        beside("OrderedDict of no pairs", call("collections", "OrderedDict", {"](Ne"}), "E0418"),
        beside("OrderedDict of pairs", call("collections", "OrderedDict", {"](" + tuple({text("k"), "N"}) + "e"}),
               "accepted"),
        beside("set of a list", call("__builtin__", "set", {"](NNe"}), "accepted"),
        beside("set of a dict", call("builtins", "set", {"}"}), "E0418"),
        beside("BUILD on an OrderedDict", ordered_dict() + dict({{"_metadata", "N"}}) + "b", "accepted"),
        beside("BUILD on an OrderedDict, of a list", ordered_dict() + "]b", "E0418"),
        beside("BUILD on a dict", "}}b", "E0418"),
        beside("BUILD on a tensor", sound + "}b", "E0418"),
        beside("NumPy's number", call("numpy.core.multiarray", "scalar", {call("numpy", "dtype", {}), "C\1x"}),
               "accepted"),
        beside("type of PyTorch", global("torch", "float32"), "accepted"),
        beside("integer of nine bytes", "\x8a\x09" + std::string(9, '\1'), "E0418"),
        beside("integer of 255 bytes", "\x8a\xff" + std::string(255, '\1'), "E0418"),
        beside("text longer than the file", "X\xff\xff\xff\xff", "E0402"),
        beside("text of 2^64 bytes", "\x8d" + std::string(8, '\xff'), "E0402"),
        beside("frame longer than the file", "\x95" + std::string(8, '\xff') + "N", "E0402"),
        beside("protocol 1", "\x80\x01N", "E0418"),
        beside("protocol 6", "\x80\x06N", "E0418"),
        variant("two values", "}}", "E0418"),
        variant("open mark", "}(", "E0418"),
        variant("bytes after the end", "}.N", "E0418"),
        variant("no value", "", "E0418"),
    });
}

TEST_CASE("memo and stack are used within their limits; nothing contains itself or is nested too deep") {
    const std::string deep_64 = repeated(62, "\x85"), tensors_dict = "}" + text("a");
    const auto memo = [](std::uint64_t slot) { return "r" + little_endian(slot, 4); };
    check_variants({
        beside("memo that is not set", "h\7", "E0418"),
        beside("memo far away that is not set", "j\xff\xff\xff\xff", "E0418"),
        beside("last memo", "N" + memo((1 << 20) - 1), "accepted"),
        beside("memo one too far", "N" + memo(1 << 20), "E0418"),
        beside("memo of nothing", "(" + std::string("q\1", 2) + "t", "E0418"),
        beside("numbered memo", "]\x94", "accepted"),
        beside("list in itself", "]q\1h\1a", "E0418"),
        beside("tuple in itself",
               "]q\1h\1\x85"
               "a",
               "E0418"),
        beside("dict in itself", "}q\1" + text("k") + "h\1s", "E0418"),
        beside("dict in itself through another", "}q\1" + text("k") + "}" + text("k") + "h\1ss", "E0418"),
        beside("64 levels", ")" + deep_64, "accepted"),
        beside("65 levels", ")" + deep_64 + "\x85", "E0418"),
        beside("65 levels in two parts", "]" + repeated(30, "\x85") + "q\1h\1" + repeated(40, "\x85") + "\x86",
               "E0418"),
        beside("2^40 ways to one value", "N" + repeated(40, "q\1h\1\x86"), "accepted"),
        beside("100,000 levels", ")" + repeated(100000, "\x85"), "E0418"),
        beside("256 marks", repeated(255, global("numpy", "dtype") + "(") + repeated(255, "tR"), "accepted"),
        beside("257 marks", repeated(257, "("), "E0418"),
        beside("100,000 marks", repeated(100000, "("), "E0418"),
        beside("70,000 values on the stack", "(" + repeated(70000, "N") + "t", "E0418"),
        beside("500,000 empty tuples", "]" + repeated(500000, ")a"), "E0407"),
        beside("4,000,000 items", "]" + repeated(80, "(" + repeated(50000, "N") + "e"), "E0407"),
        beside("9,000,000 opcodes", repeated(9'000'000, "\x80\x02"), "E0418"),
    });
}

TEST_CASE("a storage and a tensor say what the archive can hold, or are refused") {
    const std::string four = storage("0", 4);
    const std::int64_t huge = std::int64_t{1} << 62;
    const auto with_id = [](const std::vector<std::string>& parts) { return tuple(parts) + "Q"; };
    const std::string type = global("torch", "FloatStorage");
    std::vector<std::pair<std::string, std::string>> many;
    for (int i = 0; i < 12; ++i) many.emplace_back(std::to_string(i), tensor(four, 0, {600}, {0}));
    check_variants({
        beside("transposed", tensor(four, 0, {2, 2}, {1, 2}), "accepted"),
        beside("repeated", tensor(four, 3, {5, 1}, {0, 9}), "accepted"),
        beside("scalar", tensor(four, 3, {}, {}), "accepted"),
        beside("empty, anywhere", tensor(four, 99, {0, 7}, {1, 1}), "accepted"),
        beside("8 dimensions", tensor(four, 0, {1, 1, 1, 1, 1, 1, 2, 2}, {0, 0, 0, 0, 0, 0, 2, 1}), "accepted"),
        beside("9 dimensions", tensor(four, 0, {1, 1, 1, 1, 1, 1, 1, 2, 2}, {0, 0, 0, 0, 0, 0, 0, 2, 1}), "E0408"),
        beside("one number too far", tensor(four, 1, {2, 2}, {2, 1}), "E0419"),
        beside("negative offset", tensor(four, -1, {2}, {1}), "E0419"),
        beside("huge offset", tensor(four, INT64_MAX, {2}, {1}), "E0419"),
        beside("negative stride", tensor(four, 3, {2}, {-1}), "E0408"),
        beside("negative extent", tensor(four, 0, {-2}, {1}), "E0408"),
        beside("extent above 2^48", tensor(four, 0, {huge}, {0}), "E0408"),
        beside("product beyond 2^63", tensor(four, 0, {1 << 30, 1 << 30, 1 << 30}, {0, 0, 0}), "E0408"),
        beside("product beyond 2^63 of an empty one", tensor(four, 0, {1 << 30, 1 << 30, 1 << 30, 0}, {0, 0, 0, 0}),
               "E0408"),
        beside("strides whose sum wraps", tensor(four, 0, {3, 3}, {huge, huge}), "E0419"),
        beside("fewer strides than extents", tensor(four, 0, {2, 2}, {2}), "E0408"),
        variant("repeated numbers, too many together", dict(many), "E0420"),
        beside("numbers repeated 2^30 times", tensor(four, 0, {1 << 30}, {0}), "E0420"),
        beside("extent that is text",
               call("torch._utils", "_rebuild_tensor_v2",
                    {four, integer(0), tuple({text("2")}), integers({1}), "\x89", ordered_dict()}),
               "E0418"),
        beside("extent that NumPy computed",
               call("torch._utils", "_rebuild_tensor_v2",
                    {four, integer(0), tuple({call("numpy.core.multiarray", "scalar", {})}), integers({1}), "\x89",
                     ordered_dict()}),
               "E0427"),
        beside("tensor of five values",
               call("torch._utils", "_rebuild_tensor_v2", {four, integer(0), ")", ")", "\x89"}), "E0418"),
        beside("tensor of a tensor",
               call("torch._utils", "_rebuild_tensor_v2",
                    {tensor(four, 0, {}, {}), integer(0), ")", ")", "\x89", ordered_dict()}),
               "E0418"),
        beside("parameter of a number", call("torch._utils", "_rebuild_parameter", {"N", "\x88", ordered_dict()}),
               "E0418"),
        beside("storage that is not there", storage("7", 4), "E0419"),
        beside("storage of fewer numbers than there are", storage("0", 3), "E0419"),
        beside("storage as another type", storage("0", 4, "IntStorage"), "E0419"),
        beside("storage of 2^62 numbers", storage("0", huge), "E0419"),
        beside("storage of -1 numbers", storage("0", -1), "E0418"),
        beside("key that is a path", storage("../0", 4), "E0418"),
        beside("key of 30 digits", storage(std::string(30, '0'), 4), "E0418"),
        beside("another kind of id", with_id({text("module"), type, text("0"), text("cpu"), integer(4)}), "E0418"),
        beside("id of four parts", with_id({text("storage"), type, text("0"), text("cpu")}), "E0418"),
        beside("id without a type", with_id({text("storage"), "N", text("0"), text("cpu"), integer(4)}), "E0418"),
        beside("id that is text", text("0") + "Q", "E0418"),
        beside("any location", with_id({text("storage"), type, text("0"), text("no such device"), integer(4)}),
               "accepted"),
    });
}

TEST_CASE("skipped globals are leaves: nothing is made of them, and the file is said to hold them") {
    const std::string unknown = global("argparse", "Namespace");
    const std::string file =
        pth_of(whole(dict({{"a", tensor(storage("0", 4), 0, {4}, {1})},
                           {"args", unknown + ")R" + dict({{"x", "N"}}) + "b"},
                           {"more", tuple({unknown, global("posix", "system") + tuple({text("id")}) + "R"})}})),
               sound_storages);
    const auto bytes = std::as_bytes(std::span(file));
    CHECK(id_of([&] { parse_pth(bytes, "x.pth"); }) == "E0427");
    const Pth read = parse_pth(bytes, "x.pth", {.skip_unknown_globals = true});
    CHECK(read.facts.unknown_globals == std::vector<std::string>{"argparse.Namespace", "posix.system"});
    CHECK(read.facts.others == 2);
    CHECK(read.tensors.tensors.size() == 1);
    // Nothing else is allowed to them, and no tensor is made of one.
    const auto skipping = [&](const std::string& value) { return id(whole(value), UnknownGlobals::skip); };
    CHECK(skipping(unknown + "]b") == "accepted");
    CHECK(skipping(unknown + ")\x81") == "E0418");
    CHECK(skipping(unknown + "Na") == "E0418");
    CHECK(skipping(tensor(unknown, 0, {1}, {1})) == "E0427");
    CHECK(skipping(global("torch.nn.modules.linear", "Linear")) == "E0428");
    std::string many;
    for (int i = 0; i < 1025; ++i) many += global("m", std::to_string(i));
    CHECK(skipping("(" + many + "t") == "E0407");
}

TEST_CASE("a pickle cut off at any byte is refused") {
    std::string sound;
    std::vector<std::pair<std::string, std::string>> items;
    for (int i = 0; i < 5; ++i)
        items.emplace_back(fmt::format("layer{}.weight", i), tensor(storage("0", 4), 0, {2, 2}, {2, 1}));
    sound = whole(dict(items));
    CHECK(sound.size() > 900);
    CHECK(id(sound) == "accepted");
    for (std::size_t length = 0; length < sound.size(); ++length) {
        const std::string refused = id(sound.substr(0, length));
        CHECK_MESSAGE((refused == "E0402" || refused == "E0418"), "cut at ", length, ": ", refused);
    }
}
