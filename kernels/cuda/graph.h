#pragma once
// One convolution as a graph of cuDNN's backend API (C descriptors, no frontend): built, ranked, filtered, planned.
#include "kernels/cuda/library.h"

#include <cudnn.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace bkd::kernels::cuda {

void check_dnn(cudnnStatus_t status, const char* call, const Device& device);
#define BKD_CUDNN(call, device) ::bkd::kernels::cuda::check_dnn((call), #call, (device))

// A descriptor: created, given attributes, finalised.
class Descriptor {
public:
    Descriptor(cudnnBackendDescriptorType_t type, const Device& device) : device_(device) {
        BKD_CUDNN(cudnnBackendCreateDescriptor(type, &raw_), device);
    }
    ~Descriptor() {
        if (raw_ != nullptr) cudnnBackendDestroyDescriptor(raw_);
    }
    Descriptor(Descriptor&& other) noexcept : device_(other.device_), raw_(std::exchange(other.raw_, nullptr)) {}

    template <class T>
    Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const std::vector<T>& values) {
        BKD_CUDNN(cudnnBackendSetAttribute(raw_, name, type, static_cast<std::int64_t>(values.size()), values.data()),
                  device_);
        return *this;
    }
    Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& other) {
        return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::vector{other.raw_});
    }
    Descriptor& finalize() {
        BKD_CUDNN(cudnnBackendFinalize(raw_), device_);
        return *this;
    }
    bool try_finalize() { return cudnnBackendFinalize(raw_) == CUDNN_STATUS_SUCCESS; }
    cudnnBackendDescriptor_t raw() const { return raw_; }
    // An attribute that is a text: JSON.
    std::string text(cudnnBackendAttributeName_t name) const;

private:
    Device device_;
    cudnnBackendDescriptor_t raw_ = nullptr;
};

class ConvolutionPlan {
public:
    ConvolutionPlan(Descriptor graph, Descriptor plan, std::size_t workspace)
        : graph_(std::move(graph)), plan_(std::move(plan)), workspace_(workspace) {}
    std::size_t workspace_bytes() const { return workspace_; }
    const Descriptor& descriptor() const { return plan_; }
    void execute(cudnnHandle_t handle, const Device& device, void* first, void* second, void* out, void* workspace);

private:
    Descriptor graph_, plan_;
    std::size_t workspace_;
};

// What plans are made for: the device of a handle or, to be looked at and never executed, one whose properties are
// known. That needs neither a device nor a driver.
struct PlanTarget {
    Device device;  // for messages
    cudnnHandle_t handle = nullptr;
    const Descriptor* properties = nullptr;  // without a handle
};
// The properties that a text describes (devices/*.json), and those of a device that is here.
Descriptor described_properties(const Device& device, const std::string& json);
Descriptor own_properties(const Device& device);

// Told a plan and its place in cuDNN's two rankings, one behind the other; false: no more are wanted.
using TakePlan = std::function<bool(int rank, std::unique_ptr<ConvolutionPlan>)>;
// The plans of cuDNN's ranking, from `first_rank` on, that compute in the precision asked for, with the same bits every
// time, within `most_workspace`. Making one can take a second: some engines are compiled then.
void plan_convolution(const PlanTarget& target, const ConvolutionCall& call, std::size_t most_workspace, int first_rank,
                      const TakePlan& take);

}
