#pragma once
// Which network a model file holds: as its metadata says it, or else as the shapes of its tensors tell.
#include "engine/model_file.h"
#include "models/network.h"

namespace bkd {

// A network's options as a model file says them (bkd.network).
Json network_facts(const NetworkOptions& options);

// What the user says of a file, before what the file says; empty: nothing.
struct AskedNetwork {
    std::string name{}, classifier{};
};

// Each option from bkd.network, else from a shape (a ResNet's width, channels and classes; TextCNN's vocabulary,
// embedding, filters and their widths; a classifier without bias is the cosine one), else NetworkOptions' own. The
// numbers are those of a stranger: all lie in ranges that no product of extents overflows, but only the tensors show
// that they are true, so check_tensors comes before memory is taken.
// InputError E0404 for metadata of another kind or outside its range, E0408 for an extent outside it, E0304 for a name
// that nobody says.
NetworkOptions network_of_file(const ModelFile& file, const AskedNetwork& asked);

}
