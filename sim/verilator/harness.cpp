// Runs one engine, exported as Verilog and compiled by Verilator, on the images of a job file.
//
//   engine JOB RESULT
//
// Both files are sequences of little-endian 64-bit integers, strings (length, bytes) and raw bytes;
// sim/verilator/run.py writes the one and reads the other, in the order of `read_job` and `run`.
// A result file says at its end why the run stopped: 0 done, 1 watchdog, 2 protocol violation.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "Vengine.h"
#include "harness_job.h"
#include "verilated.h"

namespace {

class Bench {
  public:
    explicit Bench(Vengine& top) : top_(top) {
#if !PORTS_ONLY
        done_ = find("TOP.dorefa_engine.core", "status__layer_done").data;
        read_ = find("TOP.dorefa_engine.core", "status__first_read").data;
#endif
    }
    void reset() {
        top_.rst = 1;
        top_.s_axis_tvalid = top_.m_axis_tready = 0;
#if WEIGHT_STREAM
        top_.s_axis_weights_tvalid = 0;
#endif
#if TRUNK_BYTES
        top_.s_axis_trunks_tvalid = top_.m_axis_trunks_tready = 0;
#endif
        top_.s_axil_awvalid = top_.s_axil_wvalid = top_.s_axil_arvalid = 0;
        top_.s_axil_bready = top_.s_axil_rready = 0;
        for (int cycle = 0; cycle < 4; ++cycle) {
            settle();
            edge();
        }
        top_.rst = 0;
    }
    uint64_t load(const Job& job);
    uint64_t run(const Job& job, File& result);
    uint64_t read(uint64_t address);

  private:
    void settle() {
        top_.clk = 0;
        top_.eval();
    }
    void edge() {
        top_.clk = 1;
        top_.eval();
        ++cycle_;
    }
    bool high(const uint8_t* signal) const { return signal && *signal & 1; }
    void drive(const uint8_t* bytes, uint64_t count, bool last);
#if WEIGHT_STREAM
    void offer_weights(const Job& job, Chance& chance);
    void take_weights(const Job& job);
    size_t packet_ = 0, packet_byte_ = 0;
    uint64_t waited_ = 0;  // for the packet that is next
    bool weights_offered_ = false;
#endif
#if TRUNK_BYTES
    void offer_trunks(const Job& job, Chance& chance);
    void take_trunks(const Job& job);
    std::vector<std::vector<uint8_t>> trunks_;  // packets of the image, the last one not complete
    size_t trunk_ = 0, trunk_byte_ = 0;         // which one of the plan is next, and where it is
    uint64_t trunk_waited_ = 0;
    bool trunks_offered_ = false;
#endif

    Vengine& top_;
    const uint8_t *done_ = nullptr, *read_ = nullptr;  // inside a netlist they cannot be seen
    uint64_t cycle_ = 0;
};

// All writes of the job through AXI4-Lite; returns cycles, or 0 if they did not end in time.
uint64_t Bench::load(const Job& job) {
    Chance chance(job.seed + 1);
    const uint64_t start = cycle_;
    size_t addresses = 0, words = 0, answers = 0;
    const size_t count = job.writes.size();
    bool address_up = false, word_up = false;
    while (answers < count) {
        if (cycle_ - start >= job.load_limit) return 0;
        address_up = address_up || (addresses < count && !chance(job.in_stall));
        word_up = word_up || (words < count && !chance(job.in_stall));
        top_.s_axil_awvalid = address_up;
        top_.s_axil_wvalid = word_up;
        if (address_up) top_.s_axil_awaddr = job.writes[addresses].address;
        if (word_up) top_.s_axil_wdata = job.writes[words].data;
        top_.s_axil_wstrb = 15;
        top_.s_axil_bready = !chance(job.out_stall);
        settle();
        if (address_up && top_.s_axil_awready) address_up = false, ++addresses;
        if (word_up && top_.s_axil_wready) word_up = false, ++words;
        if (top_.s_axil_bvalid && top_.s_axil_bready) {
            if (top_.s_axil_bresp)
                fail("write " + std::to_string(answers) + " was answered with an error");
            ++answers;
        }
        edge();
    }
    top_.s_axil_awvalid = top_.s_axil_wvalid = top_.s_axil_bready = 0;
    settle();
    edge();  // the last write reaches the engine one cycle after its answer
    return cycle_ - start;
}

// A word through AXI4-Lite.
uint64_t Bench::read(uint64_t address) {
    top_.s_axil_araddr = address;
    top_.s_axil_arvalid = 1;
    top_.s_axil_rready = 1;
    for (int waited = 0; waited < 1000; ++waited) {
        settle();
        const bool taken = top_.s_axil_arready, answered = top_.s_axil_rvalid;
        const uint64_t word = top_.s_axil_rdata;
        if (answered && top_.s_axil_rresp) fail("a read was answered with an error");
        edge();
        if (taken) top_.s_axil_arvalid = 0;
        if (answered) {
            top_.s_axil_rready = 0;
            return word;
        }
    }
    fail("a read was not answered within 1000 cycles");
}

// One beat of at most as many bytes as the port is wide.
void Bench::drive(const uint8_t* bytes, uint64_t count, bool last) {
    std::memset(static_cast<void*>(&top_.s_axis_tdata), 0, sizeof top_.s_axis_tdata);
    std::memcpy(static_cast<void*>(&top_.s_axis_tdata), bytes, count);
#if PORT_BYTES > 1
    const uint64_t keep = count < 64 ? (uint64_t{1} << count) - 1 : ~uint64_t{0};
    top_.s_axis_tkeep = static_cast<std::decay_t<decltype(top_.s_axis_tkeep)>>(keep);
#endif
    top_.s_axis_tlast = last;
}

#if WEIGHT_STREAM
// The memory of the weights: all packets in order, again and again, each after its latency.
void Bench::offer_weights(const Job& job, Chance& chance) {
    if (waited_ < job.latency) {
        ++waited_;
    } else if (!weights_offered_ && !chance(job.in_stall)) {
        const std::vector<uint8_t>& packet = job.weights[packet_];
        std::memcpy(static_cast<void*>(&top_.s_axis_weights_tdata), &packet[packet_byte_], PORT_BYTES);
        top_.s_axis_weights_tlast = packet_byte_ + PORT_BYTES == packet.size();
        weights_offered_ = true;
    }
    top_.s_axis_weights_tvalid = weights_offered_;
}

void Bench::take_weights(const Job& job) {
    if (!weights_offered_ || !top_.s_axis_weights_tready) return;
    weights_offered_ = false;
    packet_byte_ += PORT_BYTES;
    if (packet_byte_ < job.weights[packet_].size()) return;
    packet_byte_ = 0;
    waited_ = 0;
    packet_ = (packet_ + 1) % job.weights.size();
}
#endif

#if TRUNK_BYTES
// The memory of residual trunks: sends back whole packets, each after its latency.
void Bench::offer_trunks(const Job& job, Chance& chance) {
    const bool complete = trunk_ < job.trunks.size() && job.trunks[trunk_] + 1 < trunks_.size();
    if (complete && trunk_waited_ < job.latency) {
        ++trunk_waited_;
    } else if (complete && !trunks_offered_ && !chance(job.in_stall)) {
        const std::vector<uint8_t>& packet = trunks_[job.trunks[trunk_]];
        std::memset(static_cast<void*>(&top_.s_axis_trunks_tdata), 0, sizeof top_.s_axis_trunks_tdata);
        std::memcpy(static_cast<void*>(&top_.s_axis_trunks_tdata), &packet[trunk_byte_], TRUNK_BYTES);
        top_.s_axis_trunks_tlast = trunk_byte_ + TRUNK_BYTES == packet.size();
        trunks_offered_ = true;
    }
    top_.s_axis_trunks_tvalid = trunks_offered_;
    top_.m_axis_trunks_tready = !chance(job.out_stall);
}

void Bench::take_trunks(const Job& job) {
    if (top_.m_axis_trunks_tvalid && top_.m_axis_trunks_tready) {
        const uint8_t* data = reinterpret_cast<const uint8_t*>(&top_.m_axis_trunks_tdata);
        trunks_.back().insert(trunks_.back().end(), data, data + TRUNK_BYTES);
        if (top_.m_axis_trunks_tlast) trunks_.emplace_back();
    }
    if (!trunks_offered_ || !top_.s_axis_trunks_tready) return;
    trunks_offered_ = false;
    trunk_byte_ += TRUNK_BYTES;
    if (trunk_byte_ < trunks_[job.trunks[trunk_]].size()) return;
    trunk_byte_ = 0;
    trunk_waited_ = 0;
    ++trunk_;
}
#endif

// Per image: cycles of the first and last beat in, of the first read, of the end of each pass and
// of the first and last result; the results; the snapshots; the packets of residual trunks; of a netlist,
// what its register of cycles says. All cycles count from reset.
uint64_t Bench::run(const Job& job, File& result) {
    Chance chance(job.seed + 2);
#if WEIGHT_STREAM
    Chance weight_chance(job.seed + 3);
#endif
#if TRUNK_BYTES
    Chance trunk_chance(job.seed + 4);
#endif
    uint64_t sent = 0, byte = 0;  // image and byte that the source offers
    bool offered = false;
    for (uint64_t image = 0; image < job.images; ++image) {
        uint64_t first_in = 0, last_in = 0, first_read = 0, first_out = 0, last_out = 0;
        std::vector<uint64_t> ends, results;
        std::vector<uint8_t> codes;
        const uint64_t limit = cycle_ + job.image_limit;
#if TRUNK_BYTES
        trunks_.assign(1, {});
        trunk_ = 0;
#endif
        while (ends.size() < job.passes || results.size() < job.beats) {
            if (cycle_ >= limit) {
                result.put(image);
                result.put(first_read ? ends.size() + 1 : 0);
                return 1;
            }
            // At most one image ahead, so that no beat of the next is taken for one of this.
            if (!offered && sent == image && sent < job.images && !chance(job.in_stall)) {
                const uint64_t left = job.image_bytes - byte;
                const uint64_t count = left < PORT_BYTES ? left : PORT_BYTES;
                drive(&job.pixels[sent * job.image_bytes + byte], count, count == left);
                offered = true;
            }
            top_.s_axis_tvalid = offered;
            top_.m_axis_tready = !chance(job.out_stall);
#if WEIGHT_STREAM
            offer_weights(job, weight_chance);
#endif
#if TRUNK_BYTES
            offer_trunks(job, trunk_chance);
#endif
            settle();
#if WEIGHT_STREAM
            take_weights(job);
#endif
#if TRUNK_BYTES
            take_trunks(job);
#endif
            if (offered && top_.s_axis_tready) {
                offered = false;
                if (byte == 0) first_in = cycle_;
                byte += PORT_BYTES;
                if (byte >= job.image_bytes) {
                    last_in = cycle_;
                    byte = 0;
                    ++sent;
                }
            }
            if (high(read_) && !first_read) first_read = cycle_;
            if (high(done_)) {
                if (ends.size() < job.passes)
                    for (const Piece& piece : job.snapshots[ends.size()])
                        for (uint64_t row = piece.first; row < piece.first + piece.rows; ++row) {
                            const uint8_t* at = piece.memory.data + row * piece.memory.stride;
                            codes.insert(codes.end(), at, at + piece.memory.bytes);
                        }
                ends.push_back(cycle_);
            }
            if (top_.m_axis_tvalid && top_.m_axis_tready) {
                if (results.empty()) first_out = cycle_;
                last_out = cycle_;
                results.push_back(top_.m_axis_tdata);
                if (bool(top_.m_axis_tlast) != (results.size() == job.beats)) {
                    result.put(image);
                    result.put(results.size());
                    return 2;
                }
            }
            edge();
        }
        for (uint64_t at : {first_in, last_in, first_read}) result.put(at);
        for (uint64_t at : ends) result.put(at);
        for (uint64_t at : {first_out, last_out}) result.put(at);
        result.put(results.data(), results.size() * sizeof results[0]);
        result.put(codes.data(), codes.size());
#if TRUNK_BYTES
        trunks_.pop_back();
        result.put(trunks_.size());
        for (const std::vector<uint8_t>& packet : trunks_) {
            result.put(packet.size());
            result.put(packet.data(), packet.size());
        }
#endif
#if PORTS_ONLY
        result.put(read(job.cycles_register));
#endif
        std::fprintf(stdout, "%llu\n", static_cast<unsigned long long>(image + 1));
        std::fflush(stdout);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) fail("usage: engine JOB RESULT SEED");
    // Whatever nothing has written holds random bits, different for every seed.
    Verilated::randReset(2);
    Verilated::randSeed(std::atoi(argv[3]));
    Vengine top;
    Bench bench(top);
    bench.reset();
    const Job job = read_job(argv[1]);
    File result(argv[2], "wb");
    const uint64_t cycles = bench.load(job);
    result.put(cycles);
    const uint64_t status = cycles ? bench.run(job, result) : 1;
    result.put(status);
    top.final();
    return 0;
}
