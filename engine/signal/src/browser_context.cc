// Trace context where a browser can put it. A page cannot set headers of a WebSocket handshake; it chooses the URL and
// the subprotocols it offers, and nothing else.
#include <algorithm>

#include "sockeye/signal/propagation.h"

#include "sockeye/base/text.h"

namespace sockeye::signal {
namespace {

constexpr std::string_view item_prefix = "traceparent.";

// Each part between separators.
template <class Each>
void split(std::string_view text, char separator, Each each) {
  for (;;) {
    const std::size_t end = std::min(text.find(separator), text.size());
    each(text.substr(0, end));
    if (end == text.size()) return;
    text.remove_prefix(end + 1);
  }
}

// RFC 3986 §2.1, and + for a space as URLSearchParams writes it. What is no escape stays.
std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = i + 2 < text.size() && text[i] == '%' ? base::hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? base::hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

bool names(std::string_view parameter, std::string_view name) {
  return parameter.substr(0, std::min(parameter.find('='), parameter.size())) == name;
}

std::string_view query_of(std::string_view target) {
  target = target.substr(0, target.find('#'));
  const std::size_t question = target.find('?');
  return question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
}

// The last of that name; none: there is none.
std::optional<std::string> parameter_of(std::string_view target, std::string_view name) {
  std::optional<std::string> found;
  split(query_of(target), '&', [&](std::string_view each) {
    if (names(each, name) && each.size() > name.size()) found = decoded(each.substr(name.size() + 1));
  });
  return found;
}

}  // namespace

Extracted extract_browser(const model::HttpHead& request) {
  if (const auto parent = parameter_of(request.target, "traceparent"))
    return extract_w3c(*parent, parameter_of(request.target, "tracestate").value_or(""));
  const std::string_view item = context_item(request);
  return item.empty() ? Extracted{} : extract_w3c(item.substr(item_prefix.size()), "");
}

std::string_view context_item(const model::HttpHead& request) {
  std::string_view found;
  for (const auto& field : request.fields) {
    if (!model::iequals(field.name, "Sec-WebSocket-Protocol")) continue;
    split(field.value, ',', [&](std::string_view each) {
      if (found.empty() && base::trim(each).starts_with(item_prefix)) found = base::trim(each);
    });
  }
  return found;
}

std::string without_context_items(const model::HttpHead& request) {
  std::string out;
  for (const auto& field : request.fields) {
    if (!model::iequals(field.name, "Sec-WebSocket-Protocol")) continue;
    split(field.value, ',', [&](std::string_view each) {
      const std::string_view item = base::trim(each);
      if (item.empty() || item.starts_with(item_prefix)) return;
      if (!out.empty()) out += ", ";
      out += item;
    });
  }
  return out;
}

std::string without_context(std::string_view target) {
  const std::string_view query = query_of(target);
  if (query.empty()) return std::string(target);
  const auto begin = static_cast<std::size_t>(query.data() - target.data());
  std::string kept;
  bool any = false;
  bool first = true;
  split(query, '&', [&](std::string_view each) {
    if (names(each, "traceparent") || names(each, "tracestate")) {
      any = true;
      return;
    }
    if (!first) kept += '&';
    first = false;
    kept += each;
  });
  if (!any) return std::string(target);
  std::string out(target.substr(0, first ? begin - 1 : begin));
  return out.append(kept).append(target.substr(begin + query.size()));
}

}  // namespace sockeye::signal
