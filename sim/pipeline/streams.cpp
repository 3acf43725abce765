// A pipeline, exported as Verilog and compiled by Verilator, at its two streams and at the wires of hw/pipeline/watch.py.
//
//   engine JOB RESULT SEED
//
// Both files hold named fields (harness_fields.h, sim/pipeline/files.py). Of the result file, for each image as it comes:
// `stamps`, the cycles of its first beat in and its last beat out, from reset, and whether it was marked; `numbers`. Then,
// for each stage: `map_ends`, how many slots each map had, and `map_words`, their words.
// `limit` of the job is the watchdog: cycles without a beat on either side.
#include <cstring>

#include "Vengine.h"
#include "harness_fields.h"
#include "harness_streams.h"
#include "harness_variables.h"

namespace {

// A stage and the slots that leave it.
struct Stage {
    uint64_t word_bytes, slots, alone;  // of a slot; of a map; those that come of an image that no other follows
    uint64_t place = 0;
    std::vector<uint64_t> ends;
    Bytes words;

    void end() {
        if (place) ends.push_back(place);
        place = 0;
    }
};

class Stages {
  public:
    explicit Stages(const Fields& job) {
        const auto bytes = job.numbers("word_bytes"), slots = job.numbers("map_slots"), alone = job.numbers("alone_slots");
        for (size_t number = 0; number < bytes.size(); ++number)
            stages_.push_back({bytes[number], slots[number], alone[number], 0, {}, {}});
        if (stages_.empty()) return;
        slots_ = find("pipeline.status__slots", 0).data;
        restarts_ = find("pipeline.status__restarts", 0).data;
        words_ = find("pipeline.status__words", 0).data;
    }
    // When the signals have settled.
    void take() {
        const uint8_t* word = words_;
        for (size_t number = 0; number < stages_.size(); word += stages_[number++].word_bytes) {
            Stage& stage = stages_[number];
            if (bit(slots_, number)) {
                stage.words.insert(stage.words.end(), word, word + stage.word_bytes);
                ++stage.place;
            }
            // What is left of an image is not pushed out any more.
            if (stage.place == stage.slots || bit(restarts_, number)) stage.end();
        }
    }
    // Whether all has come of so many images, of which no other follows the last one.
    bool complete(uint64_t count) const {
        for (const Stage& stage : stages_)
            if (stage.ends.size() + (stage.place >= stage.alone) < count) return false;
        return true;
    }
    void put(Results& results) {
        for (Stage& stage : stages_) {
            stage.end();
            results.put("map_ends", stage.ends);
            results.put("map_words", stage.words);
        }
    }

  private:
    static bool bit(const uint8_t* bits, size_t number) { return bits[number / 8] >> number % 8 & 1; }

    std::vector<Stage> stages_;
    const uint8_t *slots_ = nullptr, *restarts_ = nullptr, *words_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) fail("3 arguments: JOB RESULT SEED");
    const Fields job(argv[1]);
    Results results(argv[2]);
    const auto images = job.bytes("images");
    const uint64_t count = job.number("count"), pixels = job.number("pixels"), pixel_bytes = job.number("pixel_bytes");
    const uint64_t numbers = job.number("numbers"), number_bytes = job.number("number_bytes"), limit = job.number("limit");
    VerilatedContext& context = *Verilated::threadContextp();
    context.randSeed(std::atoi(argv[3]));
    context.randReset(2);
    Vengine top(&context);
    Stages stages(job);
    const uint64_t seed = job.number("seed");
    Chance gap(seed, job.number("gaps")), stall(seed + 1, job.number("stalls"));
    top.s_axis_tvalid = top.m_axis_tready = 0;
    const auto edge = [&] { top.clk = 0; top.eval(); top.clk = 1; top.eval(); };
    top.rst = 1;
    for (int number = 0; number < 4; ++number) edge();
    top.rst = 0;
    std::vector<uint64_t> began;
    uint64_t sent = 0, done = 0, quiet = 0, place = 0;
    Bytes answer;
    bool offered = false;
    for (uint64_t cycle = 0; done < count || !stages.complete(count); ++cycle) {
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
            if (done == count) fail("a number behind the last image");
            const auto* number = reinterpret_cast<const uint8_t*>(&top.m_axis_tdata);
            answer.insert(answer.end(), number, number + number_bytes);
            const bool last = ++place == numbers;
            if (last != bool(top.m_axis_tlast)) fail("image " + std::to_string(done) + ": tlast after " + std::to_string(place) + " numbers");
            if (last) {
                results.put("stamps", std::vector<uint64_t>{began.at(done), cycle, top.m_axis_tuser});
                results.put("numbers", answer);
                answer.clear();
                place = 0;
                ++done;
            }
        }
        stages.take();
        quiet = in || out ? 0 : quiet + 1;
        if (quiet > limit)
            fail(done == count ? "a stage does not end its map for " + std::to_string(limit) + " cycles"
                               : "image " + std::to_string(done) + ": no beat for " + std::to_string(limit) + " cycles");
        top.clk = 1;
        top.eval();
    }
    stages.put(results);
    return 0;
}
