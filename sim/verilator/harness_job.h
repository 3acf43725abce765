// The job of the harness, as it comes from its file, and what else does not touch the engine's ports.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "verilated.h"
#include "verilated_syms.h"

namespace {

[[noreturn]] void fail(const std::string& message) {
    std::fprintf(stderr, "%s\n", message.c_str());
    std::exit(3);
}

class File {
  public:
    File(const char* path, const char* mode) : file_(std::fopen(path, mode)) {
        if (!file_) fail(std::string("cannot open ") + path);
    }
    ~File() { std::fclose(file_); }
    void bytes(void* data, size_t count) {
        if (std::fread(data, 1, count, file_) != count) fail("job file is truncated");
    }
    uint64_t number() {
        uint64_t value;
        bytes(&value, sizeof value);
        return value;
    }
    std::string text() {
        std::string value(number(), '\0');
        bytes(value.data(), value.size());
        return value;
    }
    void put(const void* data, size_t count) {
        if (std::fwrite(data, 1, count, file_) != count) fail("cannot write the result file");
    }
    void put(uint64_t value) { put(&value, sizeof value); }

  private:
    std::FILE* file_;
};

// Chance in percent, from a xorshift generator: the same stalls for the same seed everywhere.
class Chance {
  public:
    explicit Chance(uint64_t seed) : state_(seed * 2654435761u + 88172645463325252u) {}
    bool operator()(uint64_t percent) {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return percent && state_ % 100 < percent;
    }

  private:
    uint64_t state_;
};

// A variable of the model: `stride` bytes per element, of which `bytes` carry the value.
struct Variable {
    uint8_t* data;
    size_t stride;
    size_t bytes;
};

Variable find(const std::string& scope, const std::string& name) {
    const VerilatedScope* found = Verilated::scopeFind(scope.c_str());
    VerilatedVar* variable = found ? found->varFind(name.c_str()) : nullptr;
    if (!variable) fail("model has no variable " + scope + "." + name);
    return {static_cast<uint8_t*>(variable->datap()), variable->entSize(), 0};
}

struct Piece {  // part of a memory: `rows` words from `first`
    Variable memory;
    uint64_t first, rows;
};

struct Write {
    uint64_t address, data;
};

struct Job {
    uint64_t seed, in_stall, out_stall, latency, load_limit, image_limit, beats, passes;
    uint64_t cycles_register;
    std::vector<Write> writes;
    std::vector<std::vector<Piece>> snapshots;  // one list per pass
    std::vector<std::vector<uint8_t>> weights;  // one packet per pass, if they stream in
    std::vector<uint64_t> trunks;               // which packet of the image comes back, in order
    uint64_t images, image_bytes;
    std::vector<uint8_t> pixels;
};

Piece read_piece(File& file) {
    const std::string scope = file.text(), name = file.text();
    Piece piece{find(scope, name), 0, 0};
    piece.memory.bytes = file.number();
    piece.first = file.number();
    piece.rows = file.number();
    return piece;
}

Job read_job(const char* path) {
    File file(path, "rb");
    Job job;
    job.seed = file.number();
    job.in_stall = file.number();
    job.out_stall = file.number();
    job.latency = file.number();  // of the memory outside, before each packet
    job.load_limit = file.number();
    job.image_limit = file.number();
    job.beats = file.number();
    job.passes = file.number();  // none where their ends cannot be seen
    job.cycles_register = file.number();
    for (uint64_t count = file.number(); count; --count) {  // memories loaded directly
        const Piece piece = read_piece(file);
        for (uint64_t row = piece.first; row < piece.first + piece.rows; ++row)
            file.bytes(piece.memory.data + row * piece.memory.stride, piece.memory.bytes);
    }
    job.writes.resize(file.number());
    for (Write& write : job.writes) {
        write.address = file.number();
        write.data = file.number();
    }
    job.snapshots.resize(job.passes);
    for (auto& pieces : job.snapshots)
        for (uint64_t count = file.number(); count; --count) pieces.push_back(read_piece(file));
    job.weights.resize(file.number());
    for (auto& packet : job.weights) {
        packet.resize(file.number());
        file.bytes(packet.data(), packet.size());
    }
    job.trunks.resize(file.number());
    for (uint64_t& packet : job.trunks) packet = file.number();
    job.images = file.number();
    job.image_bytes = file.number();
    job.pixels.resize(job.images * job.image_bytes);
    file.bytes(job.pixels.data(), job.pixels.size());
    return job;
}

}  // namespace
