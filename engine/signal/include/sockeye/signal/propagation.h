// Trace context across a handshake: W3C Trace Context (traceparent, tracestate) and B3 (single and multiple headers).
// What is present and not valid is ignored and reported, so that it can be counted; it never fails a handshake.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sockeye/base/ids.h"
#include "sockeye/model/http_head.h"
#include "sockeye/model/trace_context.h"

namespace sockeye::signal {

struct Formats {
  bool tracecontext = true;  // extract and inject traceparent, tracestate
  bool b3 = true;            // extract b3 or X-B3-*
  bool b3_inject = false;    // inject b3, and X-B3-* where the request had them
  bool browser = true;       // extract from the URL's query or a subprotocol, where no header has any
};

struct Extracted {
  std::optional<model::TraceContext> parent;  // remote; valid() when present
  std::optional<bool> sampled;                // the caller's decision; none: left to us
  bool invalid = false;                       // a trace field was there and is not valid
};

// W3C wins over B3, single b3 over multiple. A traceparent that is not valid does not hide a valid b3.
[[nodiscard]] Extracted extract(const model::HttpHead& request, const Formats&);

// W3C Trace Context §3.2 by the letter: any version but ff; version 00 has exactly 55 characters, later ones may go on
// behind a dash. Only the flags of level 2 (sampled, random) are kept.
[[nodiscard]] std::optional<model::TraceContext> parse_traceparent(std::string_view);
// W3C Trace Context §3.3, on the fields joined by commas: at most 32 members, unique keys; none when not valid, "" when
// empty. Over 512 bytes, members over 128 go first, then the last ones (§3.3.1.5).
[[nodiscard]] std::optional<std::string> parse_tracestate(std::string_view);

// The same of a traceparent and a tracestate, wherever they stood.
[[nodiscard]] Extracted extract_w3c(std::string_view traceparent, std::string_view tracestate);

// What a browser's page can say: parameters traceparent and tracestate of the target's query, else an item
// `traceparent.VALUE` among the subprotocols it offers.
[[nodiscard]] Extracted extract_browser(const model::HttpHead& request);
// That item, the first where there are several; "" when there is none.
[[nodiscard]] std::string_view context_item(const model::HttpHead& request);
// All subprotocols offered but those items, joined by commas.
[[nodiscard]] std::string without_context_items(const model::HttpHead& request);
// The target without those parameters; everything else of it stays as it is.
[[nodiscard]] std::string without_context(std::string_view target);

using Fields = std::vector<std::pair<std::string, std::string>>;

// The fields that name `span` of `trace` as the parent of upstream work. Each takes the place of any field of that
// name; an empty value takes the field away (a tracestate that belongs to no valid traceparent must not travel on).
// `parent` is the span's own parent, for X-B3-ParentSpanId; zero: none.
[[nodiscard]] Fields inject(const model::HttpHead& request, const Formats&, const base::TraceId& trace,
                            const base::SpanId& span, const base::SpanId& parent, std::uint8_t flags,
                            std::string_view trace_state);

// Version 00: 55 bytes.
[[nodiscard]] std::string to_traceparent(const base::TraceId&, const base::SpanId&, std::uint8_t flags);

}  // namespace sockeye::signal
