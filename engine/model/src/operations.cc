#include "sockeye/model/operations.h"

#include <functional>
#include <memory>

namespace sockeye::model {

OperationTable::~OperationTable() {
  for (auto& row : rows_) std::unique_ptr<OperationRow>(row.load(std::memory_order_relaxed)).reset();
}

std::uint16_t OperationTable::index_of(std::string_view operation) {
  // A peer that picks colliding names makes this a walk over its 200 rows, no more.
  static_assert(rows <= 256 && rows * 2 < std::tuple_size_v<decltype(index_)>);
  if (operation == other_name) return other;
  std::size_t at = std::hash<std::string_view>{}(operation) % index_.size();
  for (; index_[at] != 0; at = (at + 1) % index_.size())
    if (rows_[index_[at]].load(std::memory_order_relaxed)->name == operation) return index_[at];
  if (used_ == names) return other;
  make(++used_, operation);
  index_[at] = static_cast<std::uint8_t>(used_);
  return used_;
}

OperationRow& OperationTable::row(std::uint16_t index) {
  OperationRow* const row = index < rows ? rows_[index].load(std::memory_order_relaxed) : nullptr;
  if (row != nullptr) return *row;
  OperationRow* const rest = rows_[other].load(std::memory_order_relaxed);
  return rest != nullptr ? *rest : make(other, other_name);
}

OperationRow& OperationTable::make(std::size_t index, std::string_view operation) {
  auto row = std::make_unique<OperationRow>(operation);
  OperationRow& made = *row;
  rows_[index].store(row.release(), std::memory_order_release);
  return made;
}

}  // namespace sockeye::model
