# Files of kernels: compiled by nvcc for devices (kernels/cuda) and by g++ for the tests (tests/cuda_host).
set(cuda_kernels activation.cu convolution.cu convolution_tile.cu convolution_weight.cu distillation.cu elementwise.cu
    embedding.cu image.cu loss.cu matmul.cu normalization.cu optimizer.cu pooling.cu random.cu reduction.cu sequence.cu)
# The host's code around them that needs no device either.
set(cuda_backend backend.cpp graph.cpp library.cpp plan_table.cpp stream.cpp)
