#include "origin.h"

#include <algorithm>
#include <functional>

#include "fields.h"
#include "sockeye/model/names.h"
#include "text.h"

namespace sockeye::intake {
namespace {

using store::Attribute;
using store::Value;

// A batch may hold what many requests brought; the last origins of these are looked at, for one sender's follow close
// upon one another.
constexpr std::size_t remembered = 256;

constexpr std::string_view unnamed_service = "unknown_service";  // as resource conventions say

bool same_value(const Value& a, const Value& b) {
  if (a.type != b.type || a.truncated != b.truncated) return false;
  switch (a.type) {
    case Value::Type::boolean:
      return a.boolean == b.boolean;
    case Value::Type::integer:
      return a.integer == b.integer;
    case Value::Type::real:
      return a.real == b.real;
    default:
      return a.text == b.text;
  }
}

bool same_list(std::span<const Attribute> a, std::span<const Attribute> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Attribute& x, const Attribute& y) {
    return x.key == y.key && same_value(x.value, y.value);
  });
}

}  // namespace

Origins::Origins(store::Batch& batch, AttributeList& list) : batch_(batch), list_(list) {
  const std::size_t count = batch.origins.size();
  for (std::size_t i = count - std::min(count, remembered); i < count; ++i)
    known_[hash(batch.origins[i])] = static_cast<std::uint32_t>(i);
}

void Origins::enter_resource(std::string_view message, std::string_view schema_url) {
  resource_ = message;
  resource_schema_ = schema_url;
  resource_read_ = false;
}

void Origins::enter_scope(std::string_view message, std::string_view schema_url) {
  scope_ = message;
  scope_schema_ = schema_url;
  place_.reset();
}

std::uint32_t Origins::current() {
  if (place_) return *place_;
  if (!resource_read_) read_resource();
  read_scope();
  const std::size_t key = hash(origin_);
  const auto known = known_.find(key);
  if (known == known_.end() || !same(batch_.origins[known->second], origin_)) {
    place_ = static_cast<std::uint32_t>(batch_.origins.size());
    batch_.origins.push_back(origin_);
    known_[key] = *place_;
    return *place_;
  }
  place_ = known->second;
  const auto forget = [this](store::Range& list, const store::Range& in_its_place) {
    if (list.first != in_its_place.first && list.first + list.count == batch_.attributes.size())
      batch_.attributes.resize(list.first);
    list = in_its_place;
  };
  const store::Origin& before = batch_.origins[*place_];
  forget(origin_.scope, before.scope);
  forget(origin_.resource, before.resource);
  return *place_;
}

void Origins::read_resource() {
  resource_read_ = true;
  list_.begin();
  protozero::pbf_reader reader = reader_of(resource_);
  while (reader.next())
    if (reader.tag_and_type() == fields::resource::attribute) {
      list_.add(view_of(reader));
    } else {
      reader.skip();
    }
  origin_.resource = list_.end();
  const Value* const service = store::find(batch_.of(origin_.resource), model::attribute::service_name);
  const bool named = service != nullptr && service->type == Value::Type::text && !service->text.empty();
  origin_.service = named ? service->text : unnamed_service;
  origin_.resource_schema_url = take_text(batch_, resource_schema_);
}

void Origins::read_scope() {
  origin_.scope_name = origin_.scope_version = {};
  list_.begin();
  protozero::pbf_reader reader = reader_of(scope_);
  while (reader.next()) switch (reader.tag_and_type()) {
      case fields::scope::name:
        origin_.scope_name = take_text(batch_, view_of(reader));
        break;
      case fields::scope::version:
        origin_.scope_version = take_text(batch_, view_of(reader));
        break;
      case fields::scope::attribute:
        list_.add(view_of(reader));
        break;
      default:
        reader.skip();
    }
  origin_.scope = list_.end();
  origin_.scope_schema_url = take_text(batch_, scope_schema_);
}

std::size_t Origins::hash(const store::Origin& origin) const {
  std::size_t all = 0;
  const auto add = [&all](std::string_view text) {
    all = (all ^ std::hash<std::string_view>{}(text)) * 0x9e3779b97f4a7c15ULL;
    all ^= all >> 32U;
  };
  add(origin.scope_name);
  add(origin.scope_version);
  add(origin.resource_schema_url);
  add(origin.scope_schema_url);
  for (const store::Range list : {origin.resource, origin.scope})
    for (const Attribute& each : batch_.of(list)) {
      add(each.key);
      add(each.value.text);
    }
  return all;
}

bool Origins::same(const store::Origin& a, const store::Origin& b) const {
  return a.service == b.service && a.scope_name == b.scope_name && a.scope_version == b.scope_version &&
         a.resource_schema_url == b.resource_schema_url && a.scope_schema_url == b.scope_schema_url &&
         same_list(batch_.of(a.resource), batch_.of(b.resource)) && same_list(batch_.of(a.scope), batch_.of(b.scope));
}

}  // namespace sockeye::intake
