// A board's core, exported as Verilog and compiled by Verilator, behind its serial line: this program is the line's far
// end, 8N1, down to the pins.
//
//   engine COMMANDS SEED DIVISOR
//
// DIVISOR are the cycles of a bit on this side. Of commands and answers see harness_commands.h; sim/verilator/serial_line.py
// is the other side:
//
//   1, count, then so many bytes   -> 0                   sends them
//   2                              -> 0                   a break
//   3, count, cycles               -> bytes, and these    as many as have come, after at most so many cycles without one
//   4                              -> bytes               how many have come and were not answered
#include <deque>

#include "Vengine.h"
#include "harness_commands.h"

namespace {

constexpr int BREAK_BITS = 30;

// The board, and what comes from it.
class Board {
  public:
    Board(Vengine& top, uint64_t divisor) : top_(top), divisor_(divisor) {
        top_.rx = 1;
        top_.rst = 1;
        for (int number = 0; number < 4; ++number) edge();
        top_.rst = 0;
    }
    // Holds the line for so many bit times.
    void hold(bool level, uint64_t bits = 1) {
        top_.rx = level;
        for (uint64_t number = 0; number < bits * divisor_; ++number) cycle();
    }
    void send(uint8_t byte) {
        hold(false);
        for (int bit = 0; bit < 8; ++bit) hold(byte >> bit & 1);
        hold(true);
        quiet_ = 0;
    }
    // Lets time pass until `count` bytes are there, or none has come for so many cycles.
    void wait(uint64_t count, uint64_t cycles) {
        top_.rx = 1;
        for (quiet_ = 0; received_.size() < count && quiet_ < cycles;) cycle();
    }
    Bytes take(uint64_t count) {
        count = std::min<uint64_t>(count, received_.size());
        const Bytes taken(received_.begin(), received_.begin() + count);
        received_.erase(received_.begin(), received_.begin() + count);
        return taken;
    }
    uint64_t waiting() const { return received_.size(); }

  private:
    void edge() {
        top_.clk = 0;
        top_.eval();
        top_.clk = 1;
        top_.eval();
    }
    void cycle() {
        top_.clk = 0;
        top_.eval();
        receive(top_.tx);
        top_.clk = 1;
        top_.eval();
        ++quiet_;
    }
    // A cycle of the line that comes from the board, sampled in the middle of its bits.
    void receive(bool level) {
        if (!bits_) {
            if (!level) bits_ = 10, left_ = divisor_ / 2;
        } else if (left_) {
            --left_;
        } else {
            left_ = divisor_ - 1;
            --bits_;
            if (bits_ && bits_ < 9) byte_ = static_cast<uint8_t>(byte_ >> 1 | level << 7);
            if (bits_) return;
            if (!level) fail("stop bit of the board is low");
            received_.push_back(byte_);
            quiet_ = 0;
        }
    }

    Vengine& top_;
    uint64_t divisor_, quiet_ = 0, left_ = 0;
    int bits_ = 0;  // of the byte that comes, the stop bit included
    uint8_t byte_ = 0;
    std::deque<uint8_t> received_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) fail("usage: engine COMMANDS SEED DIVISOR");
    const auto number = [&](int place) { return std::strtoull(argv[place], nullptr, 10); };
    // Whatever nothing has written holds random bits, different for every seed.
    Verilated::randReset(2);
    Verilated::randSeed(static_cast<int>(number(2)));
    Vengine top;
    Board board(top, number(3));
    Commands commands(argv[1]);
    for (uint64_t command; commands.next(command);) {
        if (command == 1) {
            Bytes bytes(commands.number());
            commands.read(bytes.data(), bytes.size());
            for (uint8_t byte : bytes) board.send(byte);
            commands.answer(0);
        } else if (command == 2) {
            board.hold(false, BREAK_BITS);
            board.hold(true);
            commands.answer(0);
        } else if (command == 3) {
            const uint64_t count = commands.number(), cycles = commands.number();
            board.wait(count, cycles);
            const Bytes taken = board.take(count);
            commands.answer(taken.size());
            commands.answer(taken.data(), taken.size());
        } else if (command == 4) {
            commands.answer(board.waiting());
        } else {
            fail("command " + std::to_string(command) + " is none");
        }
        std::fflush(stdout);
    }
    top.final();
    return 0;
}
