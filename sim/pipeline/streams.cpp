// A pipeline, exported as Verilog and compiled by Verilator, at its two streams.
//
//   engine IMAGES RESULTS SEED GAPS STALLS COUNT PIXELS PIXEL_BYTES NUMBERS NUMBER_BYTES LIMIT
//
// IMAGES holds COUNT images of PIXELS beats; RESULTS gets of each image, as it comes, the cycles of its first beat in
// and its last beat out (from reset, 8 bytes each), whether it was marked (8 bytes), and its NUMBERS.
// GAPS and STALLS are the chances in percent that a beat waits in a cycle, in front and behind. LIMIT is the watchdog:
// cycles without a beat on either side.
#include <cstring>

#include "Vengine.h"
#include "harness_streams.h"

namespace {

Bytes read_file(const char* path, size_t size) {
    Bytes bytes(size);
    std::FILE* file = std::fopen(path, "rb");
    if (!file || std::fread(bytes.data(), 1, size, file) != size) fail(std::string("cannot read ") + path);
    std::fclose(file);
    return bytes;
}

void put(std::FILE* file, const void* bytes, size_t size) {
    if (std::fwrite(bytes, 1, size, file) != size) fail("cannot write the results");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 12) fail("12 arguments");
    uint64_t numbers[9];
    for (int at = 0; at < 9; ++at) numbers[at] = std::strtoull(argv[3 + at], nullptr, 10);
    const auto [seed, gaps, stalls, count, pixels, pixel_bytes, results, result_bytes, limit] = numbers;
    const Bytes images = read_file(argv[1], count * pixels * pixel_bytes);
    std::FILE* file = std::fopen(argv[2], "wb");
    if (!file) fail("cannot write the results");
    VerilatedContext context;
    context.randSeed(int(seed));
    context.randReset(2);
    Vengine top(&context);
    Chance gap(seed, gaps), stall(seed + 1, stalls);
    top.s_axis_tvalid = top.m_axis_tready = 0;
    const auto edge = [&] { top.clk = 0; top.eval(); top.clk = 1; top.eval(); };
    top.rst = 1;
    for (int number = 0; number < 4; ++number) edge();
    top.rst = 0;
    std::vector<uint64_t> began;
    uint64_t sent = 0, done = 0, quiet = 0, place = 0;
    Bytes answer;
    bool offered = false;
    for (uint64_t cycle = 0; done < count; ++cycle) {
        if (!offered && sent < count * pixels && !gap()) {
            offered = true;
            std::memcpy(&top.s_axis_tdata, images.data() + sent * pixel_bytes, pixel_bytes);
            top.s_axis_tlast = sent % pixels == pixels - 1;
        }
        top.s_axis_tvalid = offered;
        top.m_axis_tready = !stall();
        top.clk = 0;
        top.eval();
        const bool in = top.s_axis_tvalid && top.s_axis_tready, out = top.m_axis_tvalid && top.m_axis_tready;
        if (in) {
            if (sent % pixels == 0) began.push_back(cycle);
            ++sent;
            offered = false;
        }
        if (out) {
            const auto* number = reinterpret_cast<const uint8_t*>(&top.m_axis_tdata);
            answer.insert(answer.end(), number, number + result_bytes);
            const bool last = ++place == results;
            if (last != bool(top.m_axis_tlast)) fail("image " + std::to_string(done) + ": tlast after " + std::to_string(place) + " numbers");
            if (last) {
                const uint64_t head[] = {began.at(done), cycle, top.m_axis_tuser};
                put(file, head, sizeof head);
                put(file, answer.data(), answer.size());
                answer.clear();
                place = 0;
                ++done;
            }
        }
        quiet = in || out ? 0 : quiet + 1;
        if (quiet > limit) fail("image " + std::to_string(done) + ": no beat for " + std::to_string(limit) + " cycles");
        top.clk = 1;
        top.eval();
    }
    if (std::fclose(file)) fail("cannot write the results");
    return 0;
}
