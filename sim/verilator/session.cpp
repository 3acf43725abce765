// One engine, exported as Verilog and compiled by Verilator, that lives as long as whoever gives it commands and is
// seen at its ports only.
//
//   engine COMMANDS SEED PORT_BYTES STALLS
//
// COMMANDS is a pipe, STALLS the chance in percent that a stream waits in a cycle, on either side. Of commands and answers
// see harness_commands.h; sim/verilator/session.py is the other side:
//
//   1, count, then `count` times address, word         -> cycles         writes through AXI4-Lite
//   2, address                                         -> word           a read
//   3, packets, bytes of each, weight packets, bytes of each, bytes that answer a packet, cycles that one may take,
//      address of the register `cycles`, then all packets, all weight packets
//      -> of every packet its first and last beat in, its first and last beat out, `cycles`, and its answer; then 0
//
// Weight packets are offered one after another from the first image on. Cycles count from reset. What goes wrong is a
// line on standard error, and status 3.
#include "harness_commands.h"
#include "harness_model.h"

namespace {

// Packets of one size, one behind the other.
class Packets {
  public:
    Packets(uint64_t count, uint64_t size) : size_(size), all_(count * size) {}
    void read(Commands& line) { line.read(all_.data(), all_.size()); }
    uint64_t count() const { return size_ ? all_.size() / size_ : 0; }
    Packet operator[](uint64_t number) const { return Packet(all_).subspan(number * size_, size_); }

  private:
    uint64_t size_;
    Bytes all_;
};

// When the streams wait.
struct Chances {
    Chances(uint64_t seed, uint64_t stalls) : images(seed + 1, stalls), weights(seed + 2, stalls), results(seed + 3, stalls) {}

    Chance images, weights, results;
};

// A run of packets, as command 3 asks for it.
class Run {
  public:
    Run(Model& model, Commands& line, Chances& chances, size_t port_bytes);
    void run();

  private:
    struct Stamps {
        uint64_t first_in = 0, last_in = 0, first_out = 0, last_out = 0;
    };
    void packet(uint64_t number);
    void step(uint64_t number, Stamps& stamps, Bytes& answer);
    void offer_weights();
    void take_weights();
    [[noreturn]] void stuck(uint64_t number, const Bytes& answer) const;

    Model& model_;
    Commands& line_;
    Chances& chances_;
    Packets images_{0, 0}, weights_{0, 0};
    uint64_t answer_bytes_, limit_, cycles_address_;
    std::optional<Source> image_source_, weight_source_;
    std::optional<Sink> sink_;
    uint64_t weights_sent_ = 0;
    bool sent_ = false, answered_ = false;  // the packet
};

Run::Run(Model& model, Commands& line, Chances& chances, size_t port_bytes)
    : model_(model), line_(line), chances_(chances) {
    const uint64_t count = line.number(), size = line.number();
    images_ = Packets(count, size);
    const uint64_t weight_count = line.number(), weight_size = line.number();
    weights_ = Packets(weight_count, weight_size);
    answer_bytes_ = line.number();
    limit_ = line.number();
    cycles_address_ = line.number();
    images_.read(line);
    weights_.read(line);
    image_source_.emplace(model.ports.images, port_bytes);
    sink_.emplace(model.ports.results, model.ports.results.size);
    if (!weights_.count()) return;
    if (!model.ports.weights) fail("weights for an engine without a port for them");
    weight_source_.emplace(*model.ports.weights, port_bytes);
}

void Run::run() {
    for (uint64_t number = 0; number < images_.count(); ++number) packet(number);
    model_.ports.idle();
    if (weights_sent_ < weights_.count())
        fail("only " + std::to_string(weights_sent_) + " of " + std::to_string(weights_.count()) +
             " weight packets were taken");
    line_.answer(0);
}

void Run::packet(uint64_t number) {
    Stamps stamps;
    Bytes answer;
    const uint64_t until = model_.cycle + limit_;
    sent_ = false;
    answered_ = !answer_bytes_;
    while (!sent_ || !answered_) {
        if (model_.cycle >= until) stuck(number, answer);
        step(number, stamps, answer);
    }
    *model_.ports.images.valid = *model_.ports.results.ready = 0;
    for (uint64_t stamp : {stamps.first_in, stamps.last_in, stamps.first_out, stamps.last_out}) line_.answer(stamp);
    line_.answer(model_.read(cycles_address_, [this] { offer_weights(); }, [this] { take_weights(); }));
    line_.answer(answer.data(), answer.size());
}

// One cycle.
void Run::step(uint64_t number, Stamps& stamps, Bytes& answer) {
    image_source_->offer(sent_ ? std::nullopt : std::optional<Packet>(images_[number]), chances_.images);
    sink_->offer(chances_.results);
    offer_weights();
    model_.settle();
    take_weights();
    if (const Source::Taken taken = image_source_->take(); taken.any) {
        if (taken.first) stamps.first_in = model_.cycle;
        if (taken.last) stamps.last_in = model_.cycle, sent_ = true;
    }
    const bool first = answer.empty();
    if (sink_->take(answer)) {
        if (first) stamps.first_out = model_.cycle;
        stamps.last_out = model_.cycle;
        if (sink_->last() != (answer.size() == answer_bytes_))
            fail("packet " + std::to_string(number) + ": TLAST is " + std::to_string(sink_->last()) + " after " +
                 std::to_string(answer.size()) + " of " + std::to_string(answer_bytes_) + " bytes");
        answered_ = sink_->last();
    }
    model_.edge();
}

void Run::offer_weights() {
    if (!weight_source_) return;
    const bool more = weights_sent_ < weights_.count();
    weight_source_->offer(more ? std::optional<Packet>(weights_[weights_sent_]) : std::nullopt, chances_.weights);
}

void Run::take_weights() {
    if (weight_source_ && weight_source_->take().last) ++weights_sent_;
}

void Run::stuck(uint64_t number, const Bytes& answer) const {
    fail("packet " + std::to_string(number) + " is not done after " + std::to_string(limit_) + " cycles: " +
         (sent_ ? "all" : "not all") + " of it was taken, " + std::to_string(weights_sent_) + " of " +
         std::to_string(weights_.count()) + " weight packets, and " + std::to_string(answer.size()) + " of " +
         std::to_string(answer_bytes_) + " bytes came back");
}

void write(Model& model, Commands& line) {
    std::vector<Write> writes(line.number());
    line.read(writes.data(), writes.size() * sizeof(Write));
    Chance never(0, 0);
    const uint64_t limit = 100 * writes.size() + 1000, cycles = model.write(writes, never, limit);
    if (!cycles) fail("writes did not end in " + std::to_string(limit) + " cycles");
    line.answer(cycles);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) fail("usage: engine COMMANDS SEED PORT_BYTES STALLS");
    const auto number = [&](int place) { return std::strtoull(argv[place], nullptr, 10); };
    const uint64_t seed = number(2);
    // Whatever nothing has written holds random bits, different for every seed.
    Verilated::randReset(2);
    Verilated::randSeed(static_cast<int>(seed));
    Vengine top;
    Model model(top);
    model.reset();
    Commands line(argv[1]);
    Chances chances(seed, number(4));
    for (uint64_t command; line.next(command);) {
        if (command == 1)
            write(model, line);
        else if (command == 2)
            line.answer(model.read(line.number()));
        else if (command == 3)
            Run(model, line, chances, number(3)).run();
        else
            fail("command " + std::to_string(command) + " is none");
        std::fflush(stdout);
    }
    top.final();
    return 0;
}
