// Both sides of AXI4-Streams. Which ones a model has is found here, by the names of its ports (`Ports`).
#pragma once

#include <cstring>
#include <optional>

#include "harness_basics.h"

namespace {

// Chance in percent, from a xorshift generator: the same stalls for the same seed everywhere.
class Chance {
  public:
    Chance(uint64_t seed, uint64_t percent) : state_(seed * 2654435761u + 88172645463325252u), percent_(percent) {}
    bool operator()() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return percent_ && state_ % 100 < percent_;
    }

  private:
    uint64_t state_, percent_;
};

struct Port {
    uint8_t* data;
    size_t size;  // of the variable, in which the beat may take fewer bytes
    CData *valid, *ready, *last;
    uint8_t* keep = nullptr;
    size_t keep_size = 0;
    uint8_t* id = nullptr;  // of the pass that a packet belongs to
    size_t id_size = 0;
};

template <class Data> Port port(Data& data, CData& valid, CData& ready, CData& last) {
    return {reinterpret_cast<uint8_t*>(&data), sizeof data, &valid, &ready, &last};
}

// All streams of a model; not every one has those of weights and trunks.
struct Ports {
    template <class Top> explicit Ports(Top& top)
        : images(port(top.s_axis_tdata, top.s_axis_tvalid, top.s_axis_tready, top.s_axis_tlast)),
          results(port(top.m_axis_tdata, top.m_axis_tvalid, top.m_axis_tready, top.m_axis_tlast)) {
        results.keep = reinterpret_cast<uint8_t*>(&top.m_axis_tkeep);
        if constexpr (requires { top.s_axis_tkeep; }) {  // ports of several bytes
            images.keep = reinterpret_cast<uint8_t*>(&top.s_axis_tkeep);
            images.keep_size = sizeof top.s_axis_tkeep;
        }
        if constexpr (requires { top.s_axis_weights_tvalid; })
            weights = port(top.s_axis_weights_tdata, top.s_axis_weights_tvalid, top.s_axis_weights_tready,
                           top.s_axis_weights_tlast);
        if constexpr (requires { top.s_axis_weights_tid; }) numbered(*weights, top.s_axis_weights_tid);
        if constexpr (requires { top.s_axis_trunks_tvalid; }) {
            trunks_in = port(top.s_axis_trunks_tdata, top.s_axis_trunks_tvalid, top.s_axis_trunks_tready,
                             top.s_axis_trunks_tlast);
            trunks_out = port(top.m_axis_trunks_tdata, top.m_axis_trunks_tvalid, top.m_axis_trunks_tready,
                              top.m_axis_trunks_tlast);
        }
        if constexpr (requires { top.s_axis_trunks_tid; }) {
            numbered(*trunks_in, top.s_axis_trunks_tid);
            numbered(*trunks_out, top.m_axis_trunks_tid);
        }
    }
    template <class Id> static void numbered(Port& port, Id& id) {
        port.id = reinterpret_cast<uint8_t*>(&id);
        port.id_size = sizeof id;
    }
    // Nothing is offered, nothing taken.
    void idle() {
        *images.valid = *results.ready = 0;
        if (weights) *weights->valid = 0;
        if (trunks_in) *trunks_in->valid = *trunks_out->ready = 0;
    }

    Port images, results;
    std::optional<Port> weights, trunks_in, trunks_out;
};

// Sends packets, each `latency` cycles after it is there.
class Source {
  public:
    Source(Port port, size_t beat_bytes, uint64_t latency = 0)
        : port_(port), beat_bytes_(beat_bytes), latency_(latency) {}
    // Before the signals settle; `packet` is what is to be sent, if there is anything, and `id` its pass.
    void offer(std::optional<Packet> packet, Chance& chance, uint64_t id = 0) {
        if (packet && waited_ < latency_) {
            ++waited_;
        } else if (packet && !offered_ && !chance()) {
            drive(*packet);
            if (port_.id) std::memcpy(port_.id, &id, port_.id_size);
            offered_ = true;
        }
        *port_.valid = offered_;
    }
    struct Taken {
        bool any, first, last;  // of the packet
    };
    // When they have settled.
    Taken take() {
        if (!offered_ || !*port_.ready) return {};
        offered_ = false;
        const Taken taken{true, at_ == 0, bool(*port_.last)};
        at_ = taken.last ? 0 : at_ + beat_bytes_;
        if (taken.last) waited_ = 0;
        return taken;
    }

  private:
    void drive(Packet packet) {
        const size_t left = packet.size() - at_, count = left < beat_bytes_ ? left : beat_bytes_;
        std::memset(port_.data, 0, port_.size);
        std::memcpy(port_.data, &packet[at_], count);
        if (port_.keep) {
            const uint64_t keep = count < 64 ? (uint64_t{1} << count) - 1 : ~uint64_t{0};
            std::memcpy(port_.keep, &keep, port_.keep_size);
        }
        *port_.last = count == left;
    }

    Port port_;
    size_t beat_bytes_, at_ = 0;
    uint64_t latency_, waited_ = 0;
    bool offered_ = false;
};

// Takes packets.
class Sink {
  public:
    Sink(Port port, size_t beat_bytes) : port_(port), beat_bytes_(beat_bytes) {}
    void offer(Chance& chance) { *port_.ready = !chance(); }
    // When the signals have settled: appends the bytes of the beat that is taken, if one is.
    bool take(Bytes& into) const {
        if (!*port_.valid || !*port_.ready) return false;
        into.insert(into.end(), port_.data, port_.data + kept());
        return true;
    }
    bool last() const { return *port_.last; }
    uint64_t id() const {
        uint64_t id = 0;
        if (port_.id) std::memcpy(&id, port_.id, port_.id_size);
        return id;
    }

  private:
    // Bytes of the beat that count: all, or those that are marked, which must be its first.
    size_t kept() const {
        if (!port_.keep) return beat_bytes_;
        size_t count = 0;
        for (size_t byte = 0; byte < beat_bytes_; ++byte)
            if (port_.keep[byte / 8] >> byte % 8 & 1)
                if (count++ != byte) fail("a beat marks bytes that are not its first");
        return count;
    }

    Port port_;
    size_t beat_bytes_;
};

}  // namespace
