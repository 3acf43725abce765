// Runs one engine, exported as Verilog and compiled by Verilator, on the images of a job file.
//
//   engine JOB RESULT SEED [WAVEFORM]
//
// Both files hold named fields (harness_fields.h). Of the result file: `load_cycles`; for every image the fields of
// `Record::put`; `status` says why the run stopped, and `stopped` where (image, place) unless it is "done".
#include "harness_memories.h"

namespace {

// What is known of the image that is running. Cycles count from reset.
struct Record {
    uint64_t first_in = 0, last_in = 0, first_read = 0, first_out = 0, last_out = 0;
    std::vector<uint64_t> ends;  // of the passes
    Bytes results, snapshots;

    void put(Results& into) const {
        into.put("first_in", first_in);
        into.put("last_in", last_in);
        into.put("first_read", first_read);
        into.put("ends", ends);
        into.put("first_out", first_out);
        into.put("last_out", last_out);
        into.put("results", results);
        into.put("snapshots", snapshots);
    }
};

// All images of a job, one after another.
class Bench {
  public:
    Bench(Model& model, const Job& job);
    // Whether all images came out; the outcome goes into `results`.
    bool run(Results& results);
    // So many cycles of the last image, which is another than the first where there are several; nothing is kept.
    void begin(uint64_t cycles);

  private:
    void offer(uint64_t image);
    void take(Record& record);
    void watch(Record& record) const;
    bool stop(Results& results, const std::string& status, uint64_t image, uint64_t place) const;
    bool high(const uint8_t* signal) const { return signal && *signal & 1; }
    uint64_t count(const Record& record) const { return record.results.size() / job_.result_bytes; }

    Model& model_;
    const Job& job_;
    Chance chance_;
    Source images_;
    Sink results_;
    std::optional<WeightMemory> weights_;
    std::optional<TrunkMemory> trunks_;
    const uint8_t *done_ = nullptr, *read_ = nullptr;  // inside a netlist they cannot be seen
    uint64_t sent_ = 0;                                // images whose last beat was taken
    bool broken_ = false;                              // a packet of results ends in the wrong place
};

Bench::Bench(Model& model, const Job& job)
    : model_(model), job_(job), chance_(job.seed + 2, job.stalls), images_(model.ports.images, job.port_bytes),
      results_(model.ports.results, model.ports.results.size) {
    const Ports& ports = model.ports;
    if (ports.weights) weights_.emplace(*ports.weights, job);
    if (ports.trunks_in) trunks_.emplace(*ports.trunks_in, *ports.trunks_out, job);
    if (!job.ports_only) {
        done_ = find("core.status__layer_done", 1).data;
        read_ = find("core.status__first_read", 1).data;
    }
}

// What the engine is offered in a cycle in which it works on `image`.
void Bench::offer(uint64_t image) {
    // At most one image ahead, so that no beat of the next is taken for one of this.
    const bool more = sent_ == image && sent_ < job_.images.size();
    images_.offer(more ? std::optional<Packet>(job_.images[sent_]) : std::nullopt, chance_);
    results_.offer(chance_);
    if (weights_) weights_->offer();
    if (trunks_) trunks_->offer();
}

// What passes through the ports in this cycle.
void Bench::take(Record& record) {
    if (weights_) weights_->take();
    if (trunks_) trunks_->take();
    if (const Source::Taken taken = images_.take(); taken.any) {
        if (taken.first) record.first_in = model_.cycle;
        if (taken.last) record.last_in = model_.cycle, ++sent_;
    }
    if (results_.take(record.results)) {
        if (!record.first_out) record.first_out = model_.cycle;
        record.last_out = model_.cycle;
        broken_ = results_.last() != (count(record) == job_.results);
    }
}

// What is seen inside: stamps, and a copy of what a pass wrote when it is done.
void Bench::watch(Record& record) const {
    if (high(read_) && !record.first_read) record.first_read = model_.cycle;
    if (!high(done_)) return;
    if (record.ends.size() < job_.passes)
        for (const Piece& piece : job_.snapshots[record.ends.size()])
            for (uint64_t row = piece.first; row < piece.first + piece.rows; ++row) {
                const uint8_t* at = piece.memory.data + row * piece.memory.stride;
                record.snapshots.insert(record.snapshots.end(), at, at + piece.memory.bytes);
            }
    record.ends.push_back(model_.cycle);
}

bool Bench::stop(Results& results, const std::string& status, uint64_t image, uint64_t place) const {
    results.put("status", status);
    results.put("stopped", std::vector<uint64_t>{image, place});
    return false;
}

void Bench::begin(uint64_t cycles) {
    Record record;
    const uint64_t image = sent_ = job_.images.size() - 1;
    if (trunks_) trunks_->start_image();
    for (const uint64_t until = model_.cycle + cycles; model_.cycle < until; model_.edge()) {
        offer(image);
        model_.settle();
        take(record);
    }
}

bool Bench::run(Results& results) {
    for (uint64_t image = 0; image < job_.images.size(); ++image) {
        Record record;
        const uint64_t limit = model_.cycle + job_.image_limit;
        if (trunks_) trunks_->start_image();
        while (record.ends.size() < job_.passes || count(record) < job_.results) {
            if (model_.cycle >= limit)
                return stop(results, "stuck", image, record.first_read ? record.ends.size() + 1 : 0);
            offer(image);
            model_.settle();
            take(record);
            watch(record);
            if (broken_) return stop(results, "protocol", image, count(record));
            model_.edge();
        }
        record.put(results);
        if (trunks_) trunks_->put(results);
        if (job_.ports_only) results.put("cycles", model_.read(job_.cycles_address));
        std::fprintf(stdout, "%llu\n", static_cast<unsigned long long>(image + 1));
        std::fflush(stdout);
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4 && argc != 5) fail("usage: engine JOB RESULT SEED [WAVEFORM]");
    // Whatever nothing has written holds random bits, different for every seed.
    Verilated::randReset(2);
    Verilated::randSeed(std::atoi(argv[3]));
    Vengine top;
    Model model(top);
    if (argc == 5) model.waveform.open(top, argv[4]);
    model.reset();  // before the memories are loaded, because the first cycle fills them with random bits
    const Job job(argv[1]);
    Results results(argv[2]);
    Chance chance(job.seed + 1, job.stalls);
    uint64_t cycles = model.write(job.writes, chance, job.load_limit);
    if (cycles && job.reset_after) {
        Bench(model, job).begin(job.reset_after);
        model.reset();  // memories stay as they are, registers do not
        cycles = model.write(job.writes, chance, job.load_limit);
    }
    results.put("load_cycles", cycles);
    if (!cycles)
        results.put("status", std::string("load"));
    else if (Bench(model, job).run(results))
        results.put("status", std::string("done"));
    top.final();
    return 0;
}
