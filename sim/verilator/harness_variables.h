// Variables inside of the compiled model, by their names in the Verilog, whose top is ENGINE_TOP.
#pragma once

#include <string>

#include "harness_basics.h"
#include "verilated.h"
#include "verilated_syms.h"

namespace {

// A variable of the model: `stride` bytes per element, of which `bytes` carry the value.
struct Variable {
    uint8_t* data;
    size_t stride;
    size_t bytes;
};

// The variable at a path of instances below the top.
Variable find(const std::string& path, size_t bytes) {
    const std::string full = "TOP." ENGINE_TOP "." + path;
    const size_t point = full.rfind('.');
    const VerilatedScope* scope = Verilated::scopeFind(full.substr(0, point).c_str());
    VerilatedVar* variable = scope ? scope->varFind(full.substr(point + 1).c_str()) : nullptr;
    if (!variable) fail("model has no variable " + full);
    return {static_cast<uint8_t*>(variable->datap()), variable->entSize(), bytes};
}

}  // namespace
