#pragma once
// The published numbers of the long-tailed selection: NumPy's legacy shuffle, counts, and SHA-256 of
// whole selections, computed there with NumPy's RandomState.
#include <cstdint>
#include <string_view>
#include <vector>

namespace bkd::test {

struct ShuffleVector {
    std::uint32_t seed;
    std::int32_t n;
    std::uint64_t draws;  // 32-bit numbers taken from the stream
    std::vector<std::int32_t> first, last;
    std::string_view sha256;
};
inline const std::vector<ShuffleVector> shuffle_vectors = {
    {0, 7, 10, {6, 2, 1, 3, 0, 5, 4}, {3, 0, 5, 4}, "c7580cc15e6c3f5d53308a301172e4a8fa1e367c9f40f6f6151c8d787d7bd057"},
    {0,
     10,
     12,
     {2, 8, 4, 9, 1, 6, 7, 3, 0, 5},
     {7, 3, 0, 5},
     "3d6e44c1aacf8a2b1e0298df76a3d86288dc3cb6a22c1cdd56869c299fcd8070"},
    {0,
     500,
     684,
     {90, 254, 283, 445, 461, 15, 316, 489, 159, 153, 241, 250, 390, 289, 171, 329},
     {192, 117, 47, 172},
     "742b56963e7b4efc6c067fc2e17a0cc6543aa371bc10810828c80a46496db22e"},
    {0,
     5000,
     7354,
     {398, 3833, 4836, 4572, 636, 2545, 1161, 2230, 148, 2530, 4070, 1261, 4682, 333, 906, 3170},
     {3264, 1653, 2607, 2732},
     "4523c3671f0d2e66695cdd78d3abafa696ad3ce6d897c2ead6b01cce390ea023"},
    {1, 7, 7, {6, 2, 1, 0, 4, 3, 5}, {0, 4, 3, 5}, "a759258bb715663224cc33e1f9fdc979813e2e063476c70596a10cc2174ef638"},
    {1,
     10,
     13,
     {2, 9, 6, 4, 0, 3, 1, 7, 8, 5},
     {1, 7, 8, 5},
     "522a530e2f3c8dfca4b82d02d0cf42962f59f519ec73da325b8e2afd2464a96c"},
    {1,
     500,
     691,
     {304, 340, 47, 67, 479, 485, 310, 31, 249, 90, 322, 168, 119, 66, 305, 189},
     {72, 396, 235, 37},
     "cbd2c9baec7fd2db09563b732cad7193549a4d019162938cbe93a617c7006148"},
    {1,
     5000,
     7310,
     {2764, 4767, 3814, 3499, 2735, 3922, 2701, 1179, 932, 792, 1852, 1185, 1724, 4080, 3823, 4054},
     {2763, 905, 3980, 235},
     "de770306cc08bb3340ad6a4f8f8e226dd03624b3e690449273e10340c4baa7bc"},
};

struct CountVector {
    std::int64_t classes;
    double ratio;
    std::int64_t total;
    std::vector<std::int64_t> counts;
};
inline const std::vector<CountVector> long_tailed_counts = {
    {10, 10, 20431, {5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500}},
    {10, 50, 13996, {5000, 3237, 2096, 1357, 878, 568, 368, 238, 154, 100}},
    {10, 100, 12406, {5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50}},
    {100, 10, 19573, {500, 488, 477, 466, 455, 445, 434, 424, 415, 405, 396, 387, 378, 369, 361, 352, 344,
                      336, 328, 321, 314, 306, 299, 292, 286, 279, 273, 266, 260, 254, 248, 243, 237, 232,
                      226, 221, 216, 211, 206, 201, 197, 192, 188, 183, 179, 175, 171, 167, 163, 159, 156,
                      152, 149, 145, 142, 139, 135, 132, 129, 126, 123, 121, 118, 115, 112, 110, 107, 105,
                      102, 100, 98,  95,  93,  91,  89,  87,  85,  83,  81,  79,  77,  75,  74,  72,  70,
                      69,  67,  66,  64,  63,  61,  60,  58,  57,  56,  54,  53,  52,  51,  50}},
    {100, 50, 12608, {500, 480, 462, 444, 426, 410, 394, 379, 364, 350, 336, 323, 311, 299, 287, 276, 265,
                      255, 245, 235, 226, 218, 209, 201, 193, 186, 178, 172, 165, 158, 152, 146, 141, 135,
                      130, 125, 120, 115, 111, 107, 102, 98,  95,  91,  87,  84,  81,  78,  75,  72,  69,
                      66,  64,  61,  59,  56,  54,  52,  50,  48,  46,  44,  43,  41,  39,  38,  36,  35,
                      34,  32,  31,  30,  29,  27,  26,  25,  24,  23,  22,  22,  21,  20,  19,  18,  18,
                      17,  16,  16,  15,  14,  14,  13,  13,  12,  12,  11,  11,  10,  10,  10}},
    {100, 100, 10847, {500, 477, 455, 434, 415, 396, 378, 361, 344, 328, 314, 299, 286, 273, 260, 248, 237,
                       226, 216, 206, 197, 188, 179, 171, 163, 156, 149, 142, 135, 129, 123, 118, 112, 107,
                       102, 98,  93,  89,  85,  81,  77,  74,  70,  67,  64,  61,  58,  56,  53,  51,  48,
                       46,  44,  42,  40,  38,  36,  35,  33,  32,  30,  29,  27,  26,  25,  24,  23,  22,
                       21,  20,  19,  18,  17,  16,  15,  15,  14,  13,  13,  12,  12,  11,  11,  10,  10,
                       9,   9,   8,   8,   7,   7,   7,   6,   6,   6,   6,   5,   5,   5,   5}},
};

// 50,000 samples, label[i] = i mod classes, seed 0. The position fingerprint is the same for any order of labels.
struct SelectionVector {
    std::int64_t classes;
    std::string_view kind;
    double ratio;
    std::string_view index_fingerprint, position_fingerprint;
};
inline const std::vector<SelectionVector> selection_vectors = {
    {10, "long_tailed", 10, "450c6bd8c34d975dbd6ec62a192829f817b6456fdef280cbac2d7054114177b2",
     "0573a4c0bac922dec567a453eb1144c3ce430b8c8ee04b7cb563bd526561be53"},
    {10, "long_tailed", 50, "57cf061b902bb44a5809352a6561095acec345ce7cb4b4cb82e29774617bb796",
     "d7d316d044462dcf6e25e203248195adb4f8572120dd7ec2b13ce6aeb8848ecc"},
    {10, "long_tailed", 100, "9c737bbf0c7100bd3dec6e478ae4aa739d7fad828420abb80c1233e5e2867c53",
     "d6c951e44243e61a3b6f98222c8fcf88d228e2d590df2fd091a73ce5254a002c"},
    {10, "step", 10, "24096c1fbeb546e443f7a587d8e504e8574ddfd46de8f56ad221c934d5ae538d",
     "75847ddf9dbb041761457050dcf4700278fa036d89201bae514cfaecac6debce"},
    {10, "step", 50, "87718147685d48aebaca8fe6855918864b7738b4c8ce5c68541fd9f5cf4b32b0",
     "9065fb28f5ee091bf21b600dc80cb54dd653a8f1864274e4266e56fd37850627"},
    {10, "step", 100, "3fee922c6d77bfc79b04cd3eb8414b864a0e5053726c7749c61278fab4a7a882",
     "64c96e1bd19a15c639a8c56258a63c47bc904e966559466a883475aa4c3d1979"},
    {100, "long_tailed", 10, "e42cfdc3cd5e41cb814211aac52eeea249a506bfb0830fac01f055657008cdc6",
     "bfcd8e97aec64e16338a059058972c4d632c8157fcb86a1bfa97b169be0d0f7f"},
    {100, "long_tailed", 50, "fbe21f87dcf2316e66652e3d042a899425457c1b18caf36348178e3b7b7cfcea",
     "057d5468420169431569d9cc4e9ef10419744a69d8c277226e45be21a5026284"},
    {100, "long_tailed", 100, "7c991395f29de7135b9cb15fb3c0ac90c69b48090de1ab4103393fb4aae187e2",
     "2f421d63fdc8f7e507409950d637829595540354b5e992c1463ffa6b986374e1"},
    {100, "step", 10, "f5626cd009a850a691170dc42da843ae74c459fb76301ce7d8470ddd0470d1d3",
     "673f4b8edab3fd841f73b931d979b818f8f15c1be2ef64000b35d1cc0a987615"},
    {100, "step", 50, "c1e6d6e5182d6d0798cc67f13a918cbbf3356b728f83f0ce8c88b0d96812b42d",
     "c2ef708182e18be55868e1eefa3940f6cac2cc5454a13b2af86524822ac12b17"},
    {100, "step", 100, "b212e6519c871a4db0e68266a4c55fa397c706b7d030406da2218d888a19089f",
     "7fd35d61d9b19e2c92f6225c61b4cebe547ae0533eb981ed6056bc0862f58800"},
};

// The training labels of CIFAR-10 and CIFAR-100 in file order, seed 0.
struct RealVector {
    std::int64_t classes;
    std::string_view kind;
    double ratio;
    std::string_view index_fingerprint;
    std::vector<std::int32_t> last;
};
inline const std::vector<RealVector> real_vectors = {
    {10, "long_tailed", 10, "c06ed1d31500880c026c055d7bd2223623333cfbf7bf06be20e8e1e1089e4fd0", {11620, 23813, 24042}},
    {10, "long_tailed", 50, "2477fffcd09bcacdfe3e1918fc95a6ccfa91c0186f92f9508e766e9dd471805f", {3600, 26209, 8658}},
    {10, "long_tailed", 100, "ca97f03cbf4d69c40e0acdacf758852f25c5cd6bdbc78c5d179cf1d64c69bc3f", {16267, 4256, 11918}},
    {10, "step", 10, "236b44cdd113b536d4125639e50105d14485318fdbf913ba53d9a573117a7ffc", {11620, 23813, 24042}},
    {10, "step", 50, "6da82eab02b00671efe0f9f1595d3ba1bfe5d91e61b56b3e5eb90f891ed9c375", {3600, 26209, 8658}},
    {10, "step", 100, "12f110ad0542c2a4036a3cfbb80d40239f7cfa8cff39924e177a780eee3a9a40", {16267, 4256, 11918}},
    {100, "long_tailed", 10, "3b58e94c18104966827925bcb779f76407d6f89763d6893328f29ff3850b2d31", {40115, 46972, 35149}},
    {100, "long_tailed", 50, "9ae2c06907a23afb04f1697065a8729b60988b90708df3511cc7f387c7955c85", {9556, 47636, 24692}},
    {100,
     "long_tailed",
     100,
     "92db61d4d8847a2a1140b271ec8575f002729622531a6595aa6f84211fee79e7",
     {35560, 35541, 30065}},
    {100, "step", 10, "d9dfce25859463d38662b1f3864c1258eb9e2a422f7bf4dc50a9fec0fd91ebd7", {40115, 46972, 35149}},
    {100, "step", 50, "8840e570adb3b10be39d61b26f9a0364aa09297d12e8971eb2dd2ff91e8fb0f4", {9556, 47636, 24692}},
    {100, "step", 100, "3f934c2b90eb886d5b34355e9a4e1f403be145ce8a0170ed717ed81b0fdbcc59", {35560, 35541, 30065}},
};

}
