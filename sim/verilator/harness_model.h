// The compiled model of the exported Verilog: its time, its reset and its AXI4-Lite port.
#pragma once

#include "Vengine.h"
#include "harness_streams.h"
#include "harness_trace.h"

namespace {

struct Write {
    uint64_t address, data;
};

// The model, its ports and its time.
struct Model {
    explicit Model(Vengine& own) : top(own), ports(own) {}
    void settle() {
        top.clk = 0;
        top.eval();
        waveform.settled(cycle);
    }
    void edge() {
        top.clk = 1;
        top.eval();
        waveform.clocked(cycle);
        ++cycle;
    }
    void reset() {
        ports.idle();
        top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_arvalid = 0;
        top.s_axil_bready = top.s_axil_rready = 0;
        top.rst = 1;
        for (int number = 0; number < 4; ++number) {
            settle();
            edge();
        }
        top.rst = 0;
    }
    // All writes through AXI4-Lite; returns cycles, or 0 if they did not end within `limit`.
    uint64_t write(const std::vector<Write>& writes, Chance& chance, uint64_t limit);
    // A word through AXI4-Lite; `offer` and `take` stand for what else happens in a cycle, before and after signals
    // settle.
    template <class Offer, class Take> uint64_t read(uint64_t address, Offer offer, Take take);
    uint64_t read(uint64_t address) {
        return read(address, [] {}, [] {});
    }

    Vengine& top;
    Ports ports;
    Waveform waveform;
    uint64_t cycle = 0;
};

uint64_t Model::write(const std::vector<Write>& writes, Chance& chance, uint64_t limit) {
    const uint64_t start = cycle;
    size_t addresses = 0, words = 0, answers = 0;
    const size_t count = writes.size();
    bool address_up = false, word_up = false;
    while (answers < count) {
        if (cycle - start >= limit) return 0;
        address_up = address_up || (addresses < count && !chance());
        word_up = word_up || (words < count && !chance());
        top.s_axil_awvalid = address_up;
        top.s_axil_wvalid = word_up;
        if (address_up) top.s_axil_awaddr = writes[addresses].address;
        if (word_up) top.s_axil_wdata = writes[words].data;
        top.s_axil_wstrb = 15;
        top.s_axil_bready = !chance();
        settle();
        if (address_up && top.s_axil_awready) address_up = false, ++addresses;
        if (word_up && top.s_axil_wready) word_up = false, ++words;
        if (top.s_axil_bvalid && top.s_axil_bready) {
            if (top.s_axil_bresp) fail("write " + std::to_string(answers) + " was answered with an error");
            ++answers;
        }
        edge();
    }
    top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_bready = 0;
    settle();
    edge();  // the last write reaches the engine one cycle after its answer
    return cycle - start;
}

template <class Offer, class Take> uint64_t Model::read(uint64_t address, Offer offer, Take take) {
    top.s_axil_araddr = address;
    top.s_axil_arvalid = 1;
    top.s_axil_rready = 1;
    for (int waited = 0; waited < 1000; ++waited) {
        offer();
        settle();
        take();
        const bool taken = top.s_axil_arready, answered = top.s_axil_rvalid;
        const uint64_t word = top.s_axil_rdata;
        if (answered && top.s_axil_rresp) fail("a read was answered with an error");
        edge();
        if (taken) top.s_axil_arvalid = 0;
        if (answered) {
            top.s_axil_rready = 0;
            return word;
        }
    }
    fail("a read was not answered within 1000 cycles");
}

}  // namespace
