// The waveform of a model that was built to write one, as a VCD file; any other model has none.
#pragma once

#include "Vengine.h"
#include "harness_basics.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

class Waveform {
  public:
#if VM_TRACE
    ~Waveform() { file_.close(); }
    void open(Vengine& top, const char* path) {
        Verilated::traceEverOn(true);
        top.trace(&file_, 99);
        // A cycle is 10 ns, whatever the clock will be.
        file_.set_time_unit("1ns");
        file_.set_time_resolution("1ns");
        file_.open(path);
        if (!file_.isOpen()) fail(std::string("cannot write ") + path);
    }
    // What signals are when inputs have changed in a cycle, the clock low.
    void settled(uint64_t cycle) {
        if (file_.isOpen()) file_.dump(10 * cycle + changes_++);
    }
    // What they are behind the edge that ends it.
    void clocked(uint64_t cycle) {
        if (file_.isOpen()) file_.dump(10 * cycle + 5);
        changes_ = 0;
    }

  private:
    VerilatedVcdC file_;
    uint64_t changes_ = 0;
#else
    void open(Vengine&, const char*) { fail("this model writes no waveform"); }
    void settled(uint64_t) {}
    void clocked(uint64_t) {}
#endif
};

}  // namespace
