// The files between sim/verilator/run.py and the harness: named fields, as sim/job/fields.py writes and reads them.
//
// Eight bytes of MAGIC, the version, then per field: length of the name, name, length of the contents, contents;
// the last field is "end". Lengths and numbers are 64 bits, little endian.
#pragma once

#include <cstring>
#include <map>

#include "harness_basics.h"

namespace {

constexpr char MAGIC[] = "dorefa\r\n";
constexpr uint64_t VERSION = 1;

// The fields of the job file, each of which occurs once.
class Fields {
  public:
    explicit Fields(const char* path) {
        std::FILE* file = std::fopen(path, "rb");
        if (!file) fail(std::string("cannot open ") + path);
        uint8_t part[1 << 16];
        while (const size_t count = std::fread(part, 1, sizeof part, file))
            data_.insert(data_.end(), part, part + count);
        std::fclose(file);
        if (data_.size() < 16 || std::memcmp(data_.data(), MAGIC, 8)) fail("job file: no file of fields");
        at_ = 8;
        if (const uint64_t version = number_at("the head"); version != VERSION)
            fail("job file has version " + std::to_string(version) + "; accepted: " + std::to_string(VERSION));
        std::string name = "the head";
        while (name != "end") {
            const auto own = part_at(name);
            const std::string next(own.begin(), own.end());
            fields_[next] = part_at(next);
            name = next;
        }
    }
    std::span<const uint8_t> bytes(const std::string& name) const {
        const auto found = fields_.find(name);
        if (found == fields_.end()) fail("job file has no field " + name);
        return found->second;
    }
    std::string text(const std::string& name) const {
        const auto own = bytes(name);
        return {own.begin(), own.end()};
    }
    std::vector<uint64_t> numbers(const std::string& name) const {
        const auto own = bytes(name);
        std::vector<uint64_t> values(own.size() / sizeof(uint64_t));
        std::memcpy(values.data(), own.data(), values.size() * sizeof(uint64_t));
        return values;
    }
    uint64_t number(const std::string& name) const {
        const std::vector<uint64_t> values = numbers(name);
        if (values.size() != 1)
            fail("field " + name + " of the job file has " + std::to_string(values.size()) + " numbers; accepted: 1");
        return values[0];
    }

  private:
    uint64_t number_at(const std::string& place) {
        uint64_t value;
        if (data_.size() - at_ < sizeof value) fail("job file is truncated after " + place);
        std::memcpy(&value, &data_[at_], sizeof value);
        at_ += sizeof value;
        return value;
    }
    std::span<const uint8_t> part_at(const std::string& place) {
        const uint64_t size = number_at(place);
        if (data_.size() - at_ < size) fail("job file is truncated after " + place);
        const std::span<const uint8_t> part(data_.data() + at_, size);
        at_ += size;
        return part;
    }

    Bytes data_;
    size_t at_ = 0;
    std::map<std::string, std::span<const uint8_t>> fields_;
};

// The result file. Fields of an image come once for each.
class Results {
  public:
    explicit Results(const char* path) : file_(std::fopen(path, "wb")) {
        if (!file_) fail(std::string("cannot open ") + path);
        write(MAGIC, 8);
        write(VERSION);
    }
    ~Results() {
        put("end", Bytes());
        if (std::fclose(file_)) fail("cannot write the result file");
    }
    template <class Value> void put(const std::string& name, const std::vector<Value>& values) {
        put(name, values.data(), values.size() * sizeof(Value));
    }
    void put(const std::string& name, uint64_t value) { put(name, &value, sizeof value); }
    void put(const std::string& name, const std::string& text) { put(name, text.data(), text.size()); }

  private:
    void put(const std::string& name, const void* data, size_t size) {
        write(name.size());
        write(name.data(), name.size());
        write(size);
        write(data, size);
    }
    void write(uint64_t value) { write(&value, sizeof value); }
    void write(const void* data, size_t size) {
        if (std::fwrite(data, 1, size, file_) != size) fail("cannot write the result file");
    }

    std::FILE* file_;
};

}  // namespace
