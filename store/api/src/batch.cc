#include "sockeye/store/batch.h"

#include <algorithm>
#include <cstring>

#include "sockeye/model/abnormal_end.h"

namespace sockeye::store {
namespace {

constexpr std::size_t chunk = 16 * 1024;

template <class T>
std::size_t room(const std::vector<T>& list) {
  return list.capacity() * sizeof(T);
}

bool inside(Range range, std::size_t size) { return range.first <= size && range.count <= size - range.first; }

}  // namespace

std::string_view Batch::keep(std::string_view text) {
  if (text.empty()) return {};
  if (text.size() > chunk / 4) return adopt(std::string(text));
  if (open_ < text.size()) {
    at_ = chunks_.emplace_back(std::make_unique_for_overwrite<char[]>(chunk)).get();
    open_ = chunk;
    held_ += chunk;
  }
  std::memcpy(at_, text.data(), text.size());
  const std::string_view kept(at_, text.size());
  at_ += text.size();
  open_ -= text.size();
  return kept;
}

std::string_view Batch::adopt(std::string&& buffer) {
  held_ += buffer.size();
  return buffers_.emplace_back(std::move(buffer));
}

std::size_t Batch::footprint() const {
  std::size_t out = held_ + room(origins) + room(attributes) + room(events) + room(links) + room(spans) + room(logs) +
                    room(sessions) + room(points) + room(fleet) + room(totals) + room(presences);
  for (const auto& session : sessions) out += session.recorder.size() + 256;
  return out;
}

bool sound(const Batch& b) {
  const std::size_t attributes = b.attributes.size();
  const auto fits = [&](const auto& each) { return inside(each.attributes, attributes); };
  return std::all_of(b.origins.begin(), b.origins.end(),
                     [&](const auto& o) { return inside(o.resource, attributes) && inside(o.scope, attributes); }) &&
         std::all_of(b.events.begin(), b.events.end(), fits) && std::all_of(b.links.begin(), b.links.end(), fits) &&
         std::all_of(b.spans.begin(), b.spans.end(),
                     [&](const auto& s) {
                       return fits(s) && inside(s.events, b.events.size()) && inside(s.links, b.links.size()) &&
                              s.origin < b.origins.size() && !s.trace_id.is_zero() && !s.span_id.is_zero();
                     }) &&
         std::all_of(b.logs.begin(), b.logs.end(),
                     [&](const auto& l) { return fits(l) && l.origin < b.origins.size(); });
}

std::string abnormal(const Session& session) {
  return session.ended() ? model::abnormal_end(session.end.why, session.end.code) : std::string();
}

const Value* find(std::span<const Attribute> attributes, std::string_view key) {
  for (const auto& each : attributes)
    if (each.key == key) return &each.value;
  return nullptr;
}

}  // namespace sockeye::store
