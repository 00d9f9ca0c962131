// What must not leave the process: replaced by REDACTED before anything is kept of it.
//
// Rules are those of the configuration's privacy.redact:
//   query.NAME   the value of that query parameter (name decoded, case-insensitive); query.* all of them
//   header.NAME  the value of that header field, wherever one would be recorded
//   subprotocol  a selected subprotocol that looks like a credential (below)
// Unknown rules match nothing. Always replaced, whatever the rules: userinfo in a URL ("//user:password@"); values of
// what has a credential's name (access_token, X-Amz-Signature, apiKey, client-secret: src/credentials.cc has the
// patterns); and what looks like one wherever it stands: JSON Web Tokens, keys with a well-known prefix, 32 characters
// and more that look drawn at random.
//
// Browsers cannot set headers, so credentials travel as subprotocols: ["realtime", "openai-insecure-api-key.sk-…"]. A
// server selects the real one, but a careless one may echo the credential. A selected name is kept when it reads like
// a registered name (IANA's list and the names in the field all pass): at most 64 bytes of letters, digits and . - _ +
// : /; no part that is a word for a credential (bearer, token, auth, key, …); and no run of letters and digits that
// looks drawn at random: over 20 long, over 4 digits, letters and digits alternating more than twice, or case more than
// three times.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sockeye::signal {

inline constexpr std::string_view redacted = "REDACTED";

using RedactRules = std::span<const std::string>;

// `target`: path and query.
[[nodiscard]] std::string redact_target(std::string_view target, RedactRules);
[[nodiscard]] std::string redact_header(std::string_view name, std::string_view value, RedactRules);
[[nodiscard]] std::string redact_subprotocol(std::string_view selected, RedactRules);
// Of words that a peer chose: a close reason, a reason phrase. Credentials in it are replaced, the rest stays.
[[nodiscard]] std::string redact_text(std::string_view text);
[[nodiscard]] bool looks_like_credential(std::string_view subprotocol);

// The text with what is not well-formed UTF-8, and every control character (C1 too: a terminal obeys those), replaced
// by U+FFFD: what peers send must make no export invalid and move no cursor.
[[nodiscard]] std::string printable(std::string_view);

}  // namespace sockeye::signal
