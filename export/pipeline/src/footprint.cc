#include "footprint.h"

#include <string>
#include <variant>

namespace sockeye::pipeline {
namespace {

std::size_t heap(const std::string& text) {
  static const std::size_t inline_size = std::string().capacity();
  return text.capacity() > inline_size ? text.capacity() + 1 : 0;
}

std::size_t heap(const model::Attributes& attributes) {
  std::size_t sum = attributes.capacity() * sizeof(model::Attributes::value_type);
  for (const auto& [key, value] : attributes)
    if (const auto* text = std::get_if<std::string>(&value)) sum += heap(*text);
  return sum;
}

}  // namespace

std::size_t footprint(const model::Span& span) {
  std::size_t sum = sizeof(span) + heap(span.name) + heap(span.trace_state) + heap(span.status_message);
  sum += heap(span.attributes);
  for (const auto& event : span.events) sum += sizeof(event) + heap(event.attributes);
  for (const auto& link : span.links) sum += sizeof(link) + heap(link.attributes);
  return sum;
}

}  // namespace sockeye::pipeline
