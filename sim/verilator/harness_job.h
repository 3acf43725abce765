// The job of the harness, out of its fields.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "harness_fields.h"
#include "harness_model.h"
#include "harness_variables.h"

namespace {

struct Piece {  // part of a memory: `rows` words from `first`
    Variable memory;
    uint64_t first, rows;
};

struct Job {
    explicit Job(const char* path);

    const Fields fields;
    const uint64_t seed, stalls, latency, load_limit, image_limit;
    const uint64_t reset_after;            // cycles of an attempt that a reset ends, 0 for none
    const uint64_t results;                // per image
    const uint64_t passes;                 // none where their ends cannot be seen
    const bool ports_only;                 // a netlist, inside which nothing can be seen
    const uint64_t cycles_address;         // of the register that is read where it is one
    const uint64_t port_bytes, trunk_bytes, result_bytes;
    std::vector<Write> writes;
    std::vector<std::vector<Piece>> snapshots;  // one list per pass
    std::vector<Packet> images;
    std::vector<Packet> weights;           // one packet per pass, if they stream in
    std::vector<uint64_t> trunks;          // which packet of the image comes back, in order

  private:
    std::vector<Variable> memories() const;
    std::vector<Packet> packets(const std::string& name) const;
};

// All memories that something is copied to or from.
std::vector<Variable> Job::memories() const {
    const std::vector<uint64_t> bytes = fields.numbers("memory_bytes");
    std::istringstream paths(fields.text("memories"));
    std::vector<Variable> found;
    for (std::string path; std::getline(paths, path);) found.push_back(find(path, bytes.at(found.size())));
    return found;
}

// Field `name`, cut to the lengths in the field NAME_bytes.
std::vector<Packet> Job::packets(const std::string& name) const {
    Packet left = fields.bytes(name);
    std::vector<Packet> found;
    for (uint64_t size : fields.numbers(name + "_bytes")) {
        if (size > left.size()) fail("field " + name + " of the job file is shorter than its packets");
        found.push_back(left.first(size));
        left = left.subspan(size);
    }
    return found;
}

// Fills the memories that are loaded directly, too.
Job::Job(const char* path)
    : fields(path), seed(fields.number("seed")), stalls(fields.number("stalls")),
      latency(fields.number("latency")), load_limit(fields.number("load_limit")),
      image_limit(fields.number("image_limit")), reset_after(fields.number("reset_after")),
      results(fields.number("results")), passes(fields.number("passes")), ports_only(fields.number("ports_only")),
      cycles_address(fields.number("cycles_address")), port_bytes(fields.number("port_bytes")),
      trunk_bytes(fields.number("trunk_bytes")), result_bytes(fields.number("result_bytes")), snapshots(passes), images(packets("images")),
      weights(packets("weights")), trunks(fields.numbers("trunk_plan")) {
    const std::vector<Variable> known = memories();
    const std::vector<uint64_t> contents = fields.numbers("contents");
    const uint8_t* from = fields.bytes("contents_rows").data();
    for (size_t at = 0; at < contents.size(); at += 2) {  // memory, rows
        const Variable& memory = known.at(contents[at]);
        for (uint64_t row = 0; row < contents[at + 1]; ++row, from += memory.bytes)
            std::memcpy(memory.data + row * memory.stride, from, memory.bytes);
    }
    const std::vector<uint64_t> own_writes = fields.numbers("writes");
    for (size_t at = 0; at < own_writes.size(); at += 2) writes.push_back({own_writes[at], own_writes[at + 1]});
    const std::vector<uint64_t> pieces = fields.numbers("snapshots");
    for (size_t at = 0; at < pieces.size(); at += 4)  // pass, memory, first row, rows
        snapshots.at(pieces[at]).push_back({known.at(pieces[at + 1]), pieces[at + 2], pieces[at + 3]});
}

}  // namespace
