// Commands from a pipe for a process that stays (sim/verilator/model_process.py is the other side).
#pragma once

#include "harness_basics.h"

namespace {

// A pipe of commands, and the answers on standard output: rows of 64-bit little-endian numbers, and the bytes that they
// announce.
class Commands {
  public:
    explicit Commands(const char* path) : commands_(std::fopen(path, "rb")) {
        if (!commands_) fail(std::string("cannot open ") + path);
    }
    // Whether there is another command; its number is put in `command`.
    bool next(uint64_t& command) { return std::fread(&command, sizeof command, 1, commands_) == 1; }
    void read(void* into, size_t size) {
        if (std::fread(into, 1, size, commands_) != size) fail("a command ends in its middle");
    }
    uint64_t number() {
        uint64_t value;
        read(&value, sizeof value);
        return value;
    }
    void answer(const void* data, size_t size) {
        if (std::fwrite(data, 1, size, stdout) != size) fail("nobody reads the answers");
    }
    void answer(uint64_t value) { answer(&value, sizeof value); }

  private:
    std::FILE* commands_;
};

}  // namespace
