// The bus models of player.cpp: streams into the engine, the AXI4-Lite manager, the memory of trunks, and the rule of
// streams that leave.
#pragma once

#include <deque>
#include <map>

#include "harness_model.h"

namespace {

struct Beat {
    uint64_t delay, last, keep, id;
    Bytes data;
};

enum Fault : uint64_t { kShort, kLong, kNoLast, kLost, kRepeated, kOtherId, kEarlyLast };

// A stream into the engine, of whose beats any may be wrong.
class Feed {
  public:
    Feed(Port port) : port_(port) {}
    std::deque<Beat> beats;
    void offer() {
        if (!up_ && !beats.empty() && waited_++ >= beats.front().delay) {
            const Beat& beat = beats.front();
            std::memset(port_.data, 0, port_.size);
            std::memcpy(port_.data, beat.data.data(), beat.data.size());
            if (port_.keep) std::memcpy(port_.keep, &beat.keep, port_.keep_size);
            if (port_.id) std::memcpy(port_.id, &beat.id, port_.id_size);
            *port_.last = beat.last;
            up_ = true;
        }
        *port_.valid = up_;
    }
    // Whether a beat was taken.
    bool take() {
        if (!up_ || !*port_.ready) return false;
        beats.pop_front();
        up_ = false;
        waited_ = 0;
        return true;
    }
    void drop() { up_ = false, waited_ = 0, *port_.valid = 0, beats.clear(); }

  private:
    Port port_;
    bool up_ = false;
    uint64_t waited_ = 0;
};

// What a stream from the engine shows, for the rule that it stays until it is taken.
class Rule {
  public:
    Rule(std::string name, const CData* valid, const CData* ready, std::vector<std::pair<const void*, size_t>> values)
        : name_(std::move(name)), valid_(valid), ready_(ready), values_(std::move(values)) {}
    void check(std::vector<std::string>& violations, uint64_t cycle) {
        Bytes now;
        for (const auto& [data, size] : values_)
            now.insert(now.end(), static_cast<const uint8_t*>(data), static_cast<const uint8_t*>(data) + size);
        if (waits_ && !*valid_) violations.push_back(name_ + " fell in cycle " + std::to_string(cycle));
        if (waits_ && *valid_ && now != before_)
            violations.push_back(name_ + " changed while it waited in cycle " + std::to_string(cycle));
        waits_ = *valid_ && !*ready_;
        before_ = now;
    }
    void forget() { waits_ = false; }

  private:
    std::string name_;
    const CData *valid_, *ready_;
    std::vector<std::pair<const void*, size_t>> values_;
    bool waits_ = false;
    Bytes before_;
};

struct Operation {
    uint64_t cycle, write, address, word, strobes;
};

struct Answer {
    uint64_t response, word, cycle;
};

// The AXI4-Lite manager: one operation after another, each not before its cycle.
class Host {
  public:
    explicit Host(Vengine& top) : top_(top) {}
    std::deque<Operation> operations;
    std::vector<Answer> answers;
    bool idle() const { return operations.empty() && !busy_; }
    void offer(uint64_t cycle) {
        if (!busy_ && !operations.empty() && cycle >= operations.front().cycle) {
            const Operation& own = operations.front();
            busy_ = true, writes_ = own.write;
            if (writes_) {
                top_.s_axil_awvalid = top_.s_axil_wvalid = 1;
                top_.s_axil_awaddr = own.address, top_.s_axil_wdata = own.word, top_.s_axil_wstrb = own.strobes;
            } else {
                top_.s_axil_arvalid = 1, top_.s_axil_araddr = own.address;
            }
            operations.pop_front();
        }
        top_.s_axil_bready = top_.s_axil_rready = 1;
    }
    void look() {
        aw_ = top_.s_axil_awvalid && top_.s_axil_awready;
        w_ = top_.s_axil_wvalid && top_.s_axil_wready;
        ar_ = top_.s_axil_arvalid && top_.s_axil_arready;
    }
    void take(uint64_t cycle, std::vector<std::string>& violations) {
        if (aw_) top_.s_axil_awvalid = 0;
        if (w_) top_.s_axil_wvalid = 0;
        if (ar_) top_.s_axil_arvalid = 0;
        if (answered_) {
            if (!busy_) violations.push_back("an answer that nobody waits for");
            answers.push_back({response_, writes_ ? 0 : word_, cycle});
            busy_ = false;
        }
    }
    void see() {
        answered_ = top_.s_axil_bvalid || top_.s_axil_rvalid;
        response_ = top_.s_axil_bvalid ? top_.s_axil_bresp : top_.s_axil_rresp;
        word_ = top_.s_axil_rdata;
    }
    void drop() {
        top_.s_axil_awvalid = top_.s_axil_wvalid = top_.s_axil_arvalid = 0;
        if (busy_) answers.push_back({4, 0, 0});
        busy_ = false;
    }

  private:
    Vengine& top_;
    bool busy_ = false, writes_ = false, aw_ = false, w_ = false, ar_ = false, answered_ = false;
    uint64_t response_ = 0, word_ = 0;
};

// The memory of residual trunks: keeps packets and sends those of the plan back, some of them wrong.
class Trunks {
  public:
    Trunks(Port in, Port out, size_t bytes) : feed(in), out_(out), bytes_(bytes) {}
    std::vector<uint64_t> plan;
    std::map<uint64_t, uint64_t> faults;  // packet that comes back -> kind
    Feed feed;
    void forget() { packets_.assign(1, {}), next_ = 0, feed.drop(); }
    void offer() {
        *out_.ready = 1;
        while (next_ < plan.size() && plan[next_] + 1 < packets_.size()) send(packets_[plan[next_]]);
        feed.offer();
    }
    void take() {
        feed.take();
        if (!*out_.valid || !*out_.ready) return;
        uint64_t id = 0;
        if (out_.id) std::memcpy(&id, out_.id, out_.id_size);
        packets_.back().push_back({0, *out_.last, 0, id, Bytes(out_.data, out_.data + bytes_)});
        if (*out_.last) packets_.emplace_back();
    }
    // The next image's packets count from 0.
    void start_image() { packets_.assign(1, {}), next_ = 0; }

  private:
    void send(std::vector<Beat> packet) {
        const auto fault = faults.find(next_++);
        const uint64_t kind = fault == faults.end() ? ~uint64_t{0} : fault->second;
        if (kind == kLost) return;
        if (kind == kShort) {
            if (packet.size() > 1) packet.pop_back(), packet.back().last = 1;
            else return;
        }
        if (kind == kLong) packet.back().last = 0, packet.push_back(packet.front()), packet.back().last = 1;
        if (kind == kNoLast) packet.back().last = 0;
        if (kind == kEarlyLast) packet.front().last = 1;
        if (kind == kOtherId)
            for (Beat& beat : packet) beat.id ^= 1;
        for (int times = kind == kRepeated ? 2 : 1; times--;)
            feed.beats.insert(feed.beats.end(), packet.begin(), packet.end());
    }

    Port out_;
    size_t bytes_;
    std::vector<std::vector<Beat>> packets_{1};
    size_t next_ = 0;
};

}  // namespace
