// What stands behind the ports of weights and of residual trunks.
#pragma once

#include "harness_job.h"
#include "harness_streams.h"

namespace {

// The memory behind the port of weights: all packets in order, again and again.
class WeightMemory {
  public:
    WeightMemory(Port port, const Job& job)
        : job_(job), source_(port, job.port_bytes, job.latency), chance_(job.seed + 3, job.stalls) {}
    void offer() { source_.offer(job_.weights[next_], chance_, next_); }
    void take() {
        if (source_.take().last) next_ = (next_ + 1) % job_.weights.size();
    }

  private:
    const Job& job_;
    Source source_;
    Chance chance_;
    size_t next_ = 0;
};

// The memory of residual trunks: keeps packets and sends back those of the plan.
class TrunkMemory {
  public:
    TrunkMemory(Port in, Port out, const Job& job)
        : job_(job), source_(in, job.trunk_bytes, job.latency), sink_(out, job.trunk_bytes),
          chance_(job.seed + 4, job.stalls) {}
    void start_image() {
        kept_.assign(1, {});
        ids_.clear();
        next_ = 0;
    }
    void offer() {
        const bool complete = next_ < job_.trunks.size() && job_.trunks[next_] + 1 < kept_.size();
        const size_t packet = complete ? job_.trunks[next_] : 0;
        source_.offer(complete ? std::optional<Packet>(kept_[packet]) : std::nullopt, chance_,
                      complete ? ids_[packet] : 0);
        sink_.offer(chance_);
    }
    void take() {
        if (sink_.take(kept_.back()) && sink_.last()) kept_.emplace_back(), ids_.push_back(sink_.id());
        if (source_.take().last) ++next_;
    }
    // The image's packets, as fields.
    void put(Results& results) const {
        std::vector<uint64_t> sizes;
        Bytes all;
        for (size_t number = 0; number + 1 < kept_.size(); ++number) {
            sizes.push_back(kept_[number].size());
            all.insert(all.end(), kept_[number].begin(), kept_[number].end());
        }
        results.put("trunks_bytes", sizes);
        results.put("trunks", all);
    }

  private:
    const Job& job_;
    Source source_;
    Sink sink_;
    Chance chance_;
    std::vector<Bytes> kept_{1};  // of the image; the last packet is not complete
    std::vector<uint64_t> ids_;   // of its packets
    size_t next_ = 0;             // in the plan
};

}  // namespace
