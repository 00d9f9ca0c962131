// A directory of a test's own, gone with it; and spans to fill a store with.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <string>

#include "sockeye/store/store.h"

namespace sockeye::sqlite::test {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sockeye-store-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string path() const { return path_; }
  [[nodiscard]] std::string database() const { return path_ + "/sockeye.db"; }

 private:
  std::string path_;
};

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

template <class Id>
Id number(std::uint64_t n) {
  Id out;
  for (std::size_t i = 0; i < 8; ++i) out.bytes[out.bytes.size() - 1 - i] = static_cast<std::uint8_t>(n >> (8 * i));
  return out;
}

// `count` spans from number `first` on, each in a trace of its own, `payload` bytes of attribute each, ten operations.
inline store::Batch some_spans(std::uint64_t first, std::uint64_t count, std::size_t payload = 100) {
  store::Batch out;
  const auto text = [&](const std::string& t) {
    store::Value value;
    value.type = store::Value::Type::text;
    value.text = out.keep(t);
    return value;
  };
  out.attributes.push_back({"service.name", text("shop")});
  store::Origin origin;
  origin.service = "shop";
  origin.resource = {0, 1};
  out.origins.push_back(origin);
  for (std::uint64_t i = first; i < first + count; ++i) {
    store::Span span;
    span.trace_id = number<base::TraceId>(i);
    span.span_id = number<base::SpanId>(i);
    span.start_unix_ns = 1'790'000'000'000'000'000 + i * 1'000'000;
    span.end_unix_ns = span.start_unix_ns + 1000 * (i % 1000);
    span.name = out.keep("operation " + std::to_string(i % 10));
    span.attributes = {static_cast<std::uint32_t>(out.attributes.size()), 2};
    out.attributes.push_back({"load", text(std::string(payload, static_cast<char>('a' + i % 26)))});
    out.attributes.push_back({"number", text(std::to_string(i))});
    out.spans.push_back(span);
  }
  return out;
}

inline store::Written write(store::Store& store, store::Batch&& batch) {
  auto promise = std::make_shared<std::promise<store::Written>>();
  auto future = promise->get_future();
  store.write(std::move(batch), [promise](const store::Written& written) { promise->set_value(written); });
  return future.get();
}

inline std::chrono::steady_clock::time_point soon() {
  return std::chrono::steady_clock::now() + std::chrono::seconds(60);
}

}  // namespace sockeye::sqlite::test
