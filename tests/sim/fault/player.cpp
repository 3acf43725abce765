// One engine behind bus models of its own, which do what they are told, right or wrong, beat by beat.
//
//   engine COMMANDS SEED PORT_BYTES
//
// Of commands and answers see sim/verilator/harness_commands.h; player.py is the other side. All numbers are 64 bits:
//
//   1                                         reset for four cycles                                -> 0
//   2, count, numbers                         the packets of trunks that come back, of an image    -> 0
//   3, cycles, packets, quiet, stalls, reset at, reset cycles, deaf from, deaf to,
//      beats of images, each: delay, last, keep, id, data (PORT_BYTES)
//      beats of weights, likewise
//      bus operations, each: cycle, write or read, address, word, strobes
//      faults of trunks, each: packet, kind (Fault)
//      -> cycles that it took; result beats, each: cycle, last, error, bytes, these; bus answers, each: response,
//         word, cycle; violations of protocols, each: bytes of a text, these; beats that were not taken of images, of
//         weights; the first cycle of irq
//
// A run ends after `cycles`, or as soon as `packets` of results have ended, all else was taken, and `quiet` cycles went by.
// Cycles count from the run's begin. Lists begin with their count.
#include "harness_commands.h"
#include "player_parts.h"

namespace {

template <class Top> const CData* error_of(Top& top) {
    if constexpr (requires { top.m_axis_tuser; }) return &top.m_axis_tuser;
    return nullptr;
}

template <class Top> const CData* irq_of(Top& top) {
    if constexpr (requires { top.irq; }) return &top.irq;
    return nullptr;
}

struct Result {
    uint64_t cycle, last, error;
    Bytes data;
};

class Player {
  public:
    Player(Model& model, Commands& line, size_t port_bytes);
    void reset();
    void plan() {
        std::vector<uint64_t> own(line_.number());
        for (uint64_t& number : own) number = line_.number();
        if (trunks_) trunks_->plan = own;
        line_.answer(0);
    }
    void play();

  private:
    std::vector<Beat> beats();
    void step(uint64_t cycle, bool deaf);
    void answer(uint64_t cycles);

    Model& model_;
    Commands& line_;
    size_t port_bytes_;
    Feed images_;
    std::optional<Feed> weights_;
    std::optional<Trunks> trunks_;
    Host host_;
    std::vector<Rule> rules_;
    std::vector<Result> results_;
    std::vector<std::string> violations_;
    uint64_t packets_ = 0, irq_at_ = 0, moved_ = 0;
    Chance chance_{1, 0};
};

std::vector<std::pair<const void*, size_t>> shown(const Port& port, const CData* error) {
    std::vector<std::pair<const void*, size_t>> values{{port.data, port.size}, {port.last, 1}};
    if (port.keep) values.push_back({port.keep, port.keep_size ? port.keep_size : 1});
    if (port.id) values.push_back({port.id, port.id_size});
    if (error) values.push_back({error, 1});
    return values;
}

Player::Player(Model& model, Commands& line, size_t port_bytes)
    : model_(model), line_(line), port_bytes_(port_bytes), images_(model.ports.images), host_(model.top) {
    const Ports& ports = model.ports;
    Vengine& top = model.top;
    if (ports.weights) weights_.emplace(*ports.weights);
    rules_.emplace_back("m_axis", ports.results.valid, ports.results.ready, shown(ports.results, error_of(top)));
    if (ports.trunks_in) {
        trunks_.emplace(*ports.trunks_in, *ports.trunks_out, ports.trunks_out->size);
        rules_.emplace_back("m_axis_trunks", ports.trunks_out->valid, ports.trunks_out->ready,
                            shown(*ports.trunks_out, nullptr));
    }
    rules_.emplace_back("b", &top.s_axil_bvalid, &top.s_axil_bready,
                        std::vector<std::pair<const void*, size_t>>{{&top.s_axil_bresp, sizeof top.s_axil_bresp}});
    rules_.emplace_back("r", &top.s_axil_rvalid, &top.s_axil_rready,
                        std::vector<std::pair<const void*, size_t>>{{&top.s_axil_rdata, sizeof top.s_axil_rdata},
                                                                    {&top.s_axil_rresp, sizeof top.s_axil_rresp}});
}

void Player::reset() {
    images_.drop();
    if (weights_) weights_->drop();
    if (trunks_) trunks_->forget();
    host_.drop();
    for (Rule& rule : rules_) rule.forget();
    model_.reset();
}

std::vector<Beat> Player::beats() {
    std::vector<Beat> found(line_.number());
    for (Beat& beat : found) {
        beat.delay = line_.number(), beat.last = line_.number(), beat.keep = line_.number(), beat.id = line_.number();
        beat.data.resize(port_bytes_);
        line_.read(beat.data.data(), port_bytes_);
    }
    return found;
}

void Player::step(uint64_t cycle, bool deaf) {
    images_.offer();
    if (weights_) weights_->offer();
    if (trunks_) trunks_->offer();
    host_.offer(cycle);
    const Port& out = model_.ports.results;
    *out.ready = !deaf && !chance_();
    model_.settle();
    for (Rule& rule : rules_) rule.check(violations_, cycle);
    bool moved = images_.take();
    if (weights_) moved |= weights_->take();
    if (trunks_) trunks_->take();
    if (*out.valid && *out.ready) {
        uint64_t kept = out.size;
        const CData* error = error_of(model_.top);
        if (out.keep) {
            kept = 0;
            for (size_t byte = 0; byte < out.size; ++byte) kept += out.keep[byte / 8] >> byte % 8 & 1;
        }
        results_.push_back({cycle, *out.last, uint64_t(error && *error), Bytes(out.data, out.data + kept)});
        if (*out.last) {
            ++packets_;
            if (trunks_) trunks_->start_image();
        }
        moved = true;
    }
    const CData* irq = irq_of(model_.top);
    if (irq && *irq && !irq_at_) irq_at_ = cycle + 1;
    host_.look();
    host_.see();
    model_.edge();
    host_.take(cycle, violations_);
    if (moved) moved_ = cycle;
}

void Player::play() {
    const uint64_t cycles = line_.number(), packets = line_.number(), quiet = line_.number(), stalls = line_.number();
    const uint64_t reset_at = line_.number(), reset_cycles = line_.number();
    const uint64_t deaf_from = line_.number(), deaf_to = line_.number();
    for (Beat& beat : beats()) images_.beats.push_back(std::move(beat));
    for (Beat& beat : beats())
        if (weights_) weights_->beats.push_back(std::move(beat));
    for (uint64_t left = line_.number(); left--;) {
        Operation own;
        own.cycle = line_.number(), own.write = line_.number(), own.address = line_.number();
        own.word = line_.number(), own.strobes = line_.number();
        host_.operations.push_back(own);
    }
    std::map<uint64_t, uint64_t> faults;
    for (uint64_t left = line_.number(); left--;) {
        const uint64_t packet = line_.number();
        faults[packet] = line_.number();
    }
    if (trunks_) trunks_->faults = faults;
    results_.clear(), violations_.clear(), host_.answers.clear();
    packets_ = irq_at_ = moved_ = 0;
    chance_ = Chance(cycles + packets, stalls);
    uint64_t cycle = 0;
    for (; cycle < cycles; ++cycle) {
        if (reset_cycles && cycle == reset_at) {
            reset();
            for (uint64_t more = 4; more < reset_cycles; ++more) model_.settle(), model_.edge();
        }
        step(cycle, cycle >= deaf_from && cycle < deaf_to);
        const bool done = packets_ >= packets && host_.idle() && images_.beats.empty() &&
                          (!weights_ || weights_->beats.empty() || packets_);
        if (packets && done && cycle >= moved_ + quiet && cycle >= deaf_to && (!reset_cycles || cycle > reset_at)) break;
    }
    host_.drop();
    answer(cycle);
}

void Player::answer(uint64_t cycles) {
    line_.answer(cycles);
    line_.answer(results_.size());
    for (const Result& result : results_) {
        for (uint64_t value : {result.cycle, result.last, result.error, uint64_t(result.data.size())}) line_.answer(value);
        line_.answer(result.data.data(), result.data.size());
    }
    line_.answer(host_.answers.size());
    for (const Answer& own : host_.answers)
        for (uint64_t value : {own.response, own.word, own.cycle}) line_.answer(value);
    line_.answer(violations_.size());
    for (const std::string& text : violations_) {
        line_.answer(text.size());
        line_.answer(text.data(), text.size());
    }
    line_.answer(images_.beats.size());
    line_.answer(weights_ ? weights_->beats.size() : 0);
    line_.answer(irq_at_);
    images_.drop();
    if (weights_) weights_->drop();
    if (trunks_) trunks_->forget();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) fail("usage: engine COMMANDS SEED PORT_BYTES");
    const auto number = [&](int place) { return std::strtoull(argv[place], nullptr, 10); };
    Verilated::randReset(2);
    Verilated::randSeed(static_cast<int>(number(2)));
    Vengine top;
    Model model(top);
    model.reset();
    Commands line(argv[1]);
    Player player(model, line, number(3));
    for (uint64_t command; line.next(command);) {
        if (command == 1)
            player.reset(), line.answer(0);
        else if (command == 2)
            player.plan();
        else if (command == 3)
            player.play();
        else
            fail("command " + std::to_string(command) + " is none");
        std::fflush(stdout);
    }
    top.final();
    return 0;
}
