// Projects as a table for people. Used inside src/forwarder only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ntt/proxies/v1/project.pb.h"

namespace culvert::forwarder {

// "12s", "5m30s", "3h", "12d": as kubectl has it, in at most two units.
std::string AgeText(int64_t seconds);

// Columns as wide as what the first call had in them needs; the last one is open. A value.
class ProjectTable {
 public:
  struct Options {
    bool headers = true;
    bool wide = false;
    bool events = false;  // a column in front
    int64_t now = 0;      // UNIX time
  };
  struct Row {
    std::string event;
    const ntt::proxies::v1::Project* project = nullptr;
  };

  explicit ProjectTable(Options options) : options_(options) {}

  // Lines, with the header in front the first time.
  std::string Lines(const std::vector<Row>& rows);
  void set_now(int64_t now) { options_.now = now; }

 private:
  using Cells = std::vector<std::string>;
  Cells Header() const;
  Cells CellsOf(const Row& row) const;
  std::string Line(const Cells& cells) const;

  Options options_;
  std::vector<size_t> widths_;  // empty before the first call
};

}  // namespace culvert::forwarder
