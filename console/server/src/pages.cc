#include "pages.h"

#include <array>

#include "sockeye/intake/decompress.h"

namespace sockeye::console {
namespace {

// Inline styles through the DOM are not styles in the sense of style-src; attributes and <style> are, and are not used.
constexpr std::string_view policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src "
    "'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

constexpr std::string_view not_built =
    "<!doctype html><meta charset=utf-8><title>Sockeye</title><p>This binary was built without the web page; "
    "<code>./dev build</code> builds both. The query API is at <code>/api/v1/status</code>.";

std::string_view type_of(std::string_view path) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> types = {{
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".woff2", "font/woff2"},
      {".json", "application/json"},
  }};
  for (const auto& [ending, type] : types)
    if (path.ends_with(ending)) return type;
  return "application/octet-stream";
}

const Asset* find(std::span<const Asset> page, std::string_view path) {
  for (const auto& each : page)
    if (each.path == path) return &each;
  return nullptr;
}

bool takes_gzip(const Request& request) {
  return request.field("accept-encoding").find("gzip") != std::string_view::npos;
}

}  // namespace

Response page_response(std::span<const Asset> page, const Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return error_response(405, "pages are asked for with GET");
  const Asset* asset = find(page, request.path);
  // What looks like a file is one, or is missing; every other address is a view of the page.
  const bool file = request.path.find('.', request.path.rfind('/')) != std::string::npos;
  if (asset == nullptr && file) return error_response(404, "no such file");
  if (asset == nullptr) asset = find(page, "/index.html");
  Response out;
  if (asset == nullptr) {
    out.content_type = "text/html; charset=utf-8";
    out.static_body = not_built;
    return out;
  }
  out.content_type = type_of(asset->path);
  out.fields.emplace_back("Vary", "Accept-Encoding");
  // Names under /assets/ have their content's hash in them.
  out.fields.emplace_back("Cache-Control",
                          asset->path.starts_with("/assets/") ? "public, max-age=31536000, immutable" : "no-cache");
  if (takes_gzip(request)) {
    out.static_body = asset->body;
    out.fields.emplace_back("Content-Encoding", "gzip");
  } else if (intake::decompress("gzip", asset->body, 64U << 20U, out.body) != intake::Unpacking::done) {
    return error_response(500, "this binary's page is damaged");
  }
  return out;
}

void harden(Response& response, bool tls) {
  response.fields.emplace_back("Content-Security-Policy", policy);
  response.fields.emplace_back("Referrer-Policy", "no-referrer");
  response.fields.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  response.fields.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
  response.fields.emplace_back("X-Frame-Options", "DENY");
  if (tls) response.fields.emplace_back("Strict-Transport-Security", "max-age=31536000");
}

}  // namespace sockeye::console
