#include "value.h"

#include <functional>
#include <protozero/pbf_writer.hpp>
#include <string>

#include "fields.h"
#include "sockeye/base/utf8.h"
#include "text.h"

namespace sockeye::intake {
namespace {

namespace otlp = model::otlp;
using protozero::pbf_reader;
using protozero::pbf_writer;
using store::Value;

constexpr std::string_view too_deep_note = "(not kept: nested more than 32 levels deep)";

enum class Shape : std::uint8_t { array, map };

// As many elements from the front as have room.
std::string_view cut_elements(std::string_view list, bool& truncated) {
  if (list.size() <= store::longest_value) return list;
  truncated = true;
  pbf_reader reader = reader_of(list);
  std::size_t good = 0;
  while (reader.next()) {
    reader.skip();
    const auto at = static_cast<std::size_t>(reader.data().data() - list.data());
    if (at > store::longest_value) break;
    good = at;
  }
  return list.substr(0, good);
}

struct Finding {
  bool deep = false;
  bool bad_text = false;
};

void inspect(std::string_view list, Shape shape, int depth, Finding& finding);

void inspect_value(std::string_view value, int depth, Finding& finding) {
  pbf_reader reader = reader_of(value);
  while (reader.next()) switch (reader.tag_and_type()) {
      case fields::any_value::text:
        if (!is_utf8(view_of(reader))) finding.bad_text = true;
        break;
      case fields::any_value::array:
        inspect(view_of(reader), Shape::array, depth + 1, finding);
        break;
      case fields::any_value::map:
        inspect(view_of(reader), Shape::map, depth + 1, finding);
        break;
      default:
        reader.skip();
    }
}

void inspect(std::string_view list, Shape shape, int depth, Finding& finding) {
  if (depth > deepest_value) finding.deep = true;
  if (finding.deep) return;
  pbf_reader reader = reader_of(list);
  while (reader.next()) {
    if (reader.tag_and_type() != fields::list::element) {
      reader.skip();
    } else if (shape == Shape::array) {
      inspect_value(view_of(reader), depth, finding);
    } else {
      pbf_reader pair = reader.get_message();
      while (pair.next()) switch (pair.tag_and_type()) {
          case fields::key_value::key:
            if (!is_utf8(view_of(pair))) finding.bad_text = true;
            break;
          case fields::key_value::value:
            inspect_value(view_of(pair), depth, finding);
            break;
          default:
            pair.skip();
        }
    }
  }
}

void add_text(pbf_writer& to, protozero::pbf_tag_type tag, std::string_view text) {
  if (is_utf8(text)) {
    to.add_string(tag, text.data(), text.size());
  } else {
    to.add_string(tag, base::repair_utf8(text));
  }
}

// Copies a nested value with its text mended, and without fields that OTLP does not know.
class Mender {
 public:
  std::string copy(std::string_view of, Shape shape) {
    pbf_writer writer(out_);
    list(of, shape, writer);
    return std::move(out_);
  }

 private:
  // A message of its own within another. pbf_writer leaves it out where it is empty; an empty element keeps its place.
  template <class Write>
  void inner(pbf_writer& to, protozero::pbf_tag_type tag, Write write) {
    const std::size_t before = out_.size();
    {
      pbf_writer writer(to, tag);
      write(writer);
    }
    if (out_.size() == before) to.add_message(tag, "", 0);
  }

  void list(std::string_view of, Shape shape, pbf_writer& to) {
    pbf_reader reader = reader_of(of);
    while (reader.next())
      if (reader.tag_and_type() != fields::list::element) {
        reader.skip();
      } else if (shape == Shape::array) {
        inner(to, otlp::list::values, [&](pbf_writer& element) { any(view_of(reader), element); });
      } else {
        inner(to, otlp::list::values, [&](pbf_writer& element) { pair(reader.get_message(), element); });
      }
  }

  void pair(pbf_reader reader, pbf_writer& to) {
    while (reader.next()) switch (reader.tag_and_type()) {
        case fields::key_value::key:
          add_text(to, otlp::key_value::key, view_of(reader));
          break;
        case fields::key_value::value:
          inner(to, otlp::key_value::value, [&](pbf_writer& value) { any(view_of(reader), value); });
          break;
        default:
          reader.skip();
      }
  }

  void any(std::string_view message, pbf_writer& to) {
    const Value value = parse_value(message);
    switch (value.type) {
      case Value::Type::empty:
        break;
      case Value::Type::text:
        add_text(to, otlp::any_value::string_value, value.text);
        break;
      case Value::Type::boolean:
        to.add_bool(otlp::any_value::bool_value, value.boolean);
        break;
      case Value::Type::integer:
        to.add_int64(otlp::any_value::int_value, value.integer);
        break;
      case Value::Type::real:
        to.add_double(otlp::any_value::double_value, value.real);
        break;
      case Value::Type::array:
        inner(to, otlp::any_value::array_value,
              [&](pbf_writer& elements) { list(value.text, Shape::array, elements); });
        break;
      case Value::Type::map:
        inner(to, otlp::any_value::kvlist_value, [&](pbf_writer& elements) { list(value.text, Shape::map, elements); });
        break;
      case Value::Type::bytes:
        to.add_bytes(otlp::any_value::bytes_value, value.text.data(), value.text.size());
        break;
    }
  }

  std::string out_;
};

void finish_nested(store::Batch& batch, Value& value) {
  const Shape shape = value.type == Value::Type::array ? Shape::array : Shape::map;
  value.text = cut_elements(value.text, value.truncated);
  Finding finding;
  inspect(value.text, shape, 1, finding);
  if (finding.deep) {
    value.type = Value::Type::text;
    value.text = too_deep_note;
    value.truncated = true;
  } else if (finding.bad_text) {
    const std::string mended = Mender().copy(value.text, shape);
    value.text = batch.keep(cut_elements(mended, value.truncated));
  }
}

}  // namespace

Value parse_value(std::string_view message) {
  Value value;
  pbf_reader reader = reader_of(message);
  while (reader.next()) switch (reader.tag_and_type()) {  // a oneof: the last that comes is meant
      case fields::any_value::text:
        value.type = Value::Type::text;
        value.text = view_of(reader);
        break;
      case fields::any_value::boolean:
        value.type = Value::Type::boolean;
        value.integer = 0;  // all eight bytes are determined, whichever of the union is looked at
        value.boolean = reader.get_bool();
        break;
      case fields::any_value::integer:
        value.type = Value::Type::integer;
        value.integer = reader.get_int64();
        break;
      case fields::any_value::real:
        value.type = Value::Type::real;
        value.real = reader.get_double();
        break;
      case fields::any_value::array:
        value.type = Value::Type::array;
        value.text = view_of(reader);
        break;
      case fields::any_value::map:
        value.type = Value::Type::map;
        value.text = view_of(reader);
        break;
      case fields::any_value::octets:
        value.type = Value::Type::bytes;
        value.text = view_of(reader);
        break;
      default:
        reader.skip();
    }
  return value;
}

Value read_value(store::Batch& batch, std::string_view message) {
  Value value = parse_value(message);
  switch (value.type) {
    case Value::Type::text:
      value.text = take_text(batch, value.text, value.truncated);
      break;
    case Value::Type::bytes:
      value.truncated = value.text.size() > store::longest_value;
      value.text = value.text.substr(0, store::longest_value);
      break;
    case Value::Type::array:
    case Value::Type::map:
      finish_nested(batch, value);
      break;
    default:
      value.text = {};
  }
  return value;
}

void AttributeList::begin() {
  first_ = batch_.attributes.size();
  dropped_ = 0;
  if (++list_ == 0) {
    table_ = {};
    list_ = 1;
  }
}

store::Range AttributeList::end() const {
  return {.first = static_cast<std::uint32_t>(first_),
          .count = static_cast<std::uint32_t>(batch_.attributes.size() - first_)};
}

void AttributeList::add(std::string_view key_value) {
  std::string_view key;
  std::string_view raw;
  pbf_reader reader = reader_of(key_value);
  while (reader.next()) switch (reader.tag_and_type()) {
      case fields::key_value::key:
        key = view_of(reader);
        break;
      case fields::key_value::value:
        raw = view_of(reader);
        break;
      default:
        reader.skip();
    }
  const std::size_t count = batch_.attributes.size() - first_;
  if (key.empty() || count == store::most_attributes) {
    if (!key.empty()) (void)read_value(batch_, raw);  // malformed stays malformed, however many there are
    ++dropped_;
    return;
  }
  key = take_text(batch_, key);
  const store::Value value = read_value(batch_, raw);
  if (store::Attribute* const before = find(key)) {
    before->value = value;
    return;
  }
  batch_.attributes.push_back({.key = key, .value = value});
  if (count == looked_through) {
    for (std::size_t i = 0; i <= count; ++i) enter(i);
  } else if (count > looked_through) {
    enter(count);
  }
}

store::Attribute* AttributeList::find(std::string_view key) {
  store::Attribute* const list = batch_.attributes.data() + first_;
  const std::size_t count = batch_.attributes.size() - first_;
  if (count <= looked_through) {
    for (std::size_t i = 0; i < count; ++i)
      if (list[i].key == key) return list + i;
    return nullptr;
  }
  const std::size_t at = slot(key);
  return table_[at].list == list_ ? list + table_[at].place : nullptr;
}

// Where `key` is, or would be. The table is never more than half full.
std::size_t AttributeList::slot(std::string_view key) const {
  std::size_t at = std::hash<std::string_view>{}(key) % slots;
  while (table_[at].list == list_ && batch_.attributes[first_ + table_[at].place].key != key) at = (at + 1) % slots;
  return at;
}

void AttributeList::enter(std::size_t place) {
  table_[slot(batch_.attributes[first_ + place].key)] = {.list = list_, .place = static_cast<std::uint32_t>(place)};
}

}  // namespace sockeye::intake
