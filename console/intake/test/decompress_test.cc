#include "sockeye/intake/decompress.h"

#include <gtest/gtest.h>
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include <limits>

namespace sockeye::intake {
namespace {

constexpr std::size_t any_size = std::numeric_limits<std::size_t>::max();

std::string deflated(const std::string& in, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, in.size()), '\0');
  stream.next_in = reinterpret_cast<const Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& in, int window_log = 0) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  // In two parts, so that the frame cannot know its size and names its window.
  std::string out(ZSTD_compressBound(in.size()) + 64, '\0');
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  ZSTD_inBuffer first{in.data(), in.size() / 2, 0};
  EXPECT_EQ(ZSTD_isError(ZSTD_compressStream2(context, &to, &first, ZSTD_e_continue)), 0U);
  ZSTD_inBuffer rest{in.data() + in.size() / 2, in.size() - in.size() / 2, 0};
  EXPECT_EQ(ZSTD_compressStream2(context, &to, &rest, ZSTD_e_end), 0U);
  out.resize(to.pos);
  ZSTD_freeCCtx(context);
  return out;
}

std::string gzip(const std::string& in) { return deflated(in, 15 + 16); }
std::string deflate_zlib(const std::string& in) { return deflated(in, 15); }
std::string zstd_plain(const std::string& in) { return zstd(in); }

struct Known {
  const char* name;
  std::string (*pack)(const std::string&);
};
constexpr Known all[] = {{"gzip", gzip}, {"deflate", deflate_zlib}, {"zstd", zstd_plain}};

std::string mixed(std::size_t size) {
  std::string out;
  for (std::uint32_t state = 1; out.size() < size; state = state * 1664525U + 1013904223U)
    out += static_cast<char>(static_cast<std::uint8_t>(state >> (state % 3 == 0 ? 24U : 30U)));
  return out;
}

TEST(Decompress, gives_back_what_was_packed) {
  for (const auto& [name, pack] : all)
    for (const std::size_t size : {0U, 1U, 4096U, 100'000U, 500'000U}) {
      const std::string in = mixed(size);
      std::string out = "left over";
      EXPECT_EQ(decompress(name, pack(in), any_size, out), Unpacking::done) << name;
      EXPECT_TRUE(out == in) << name << ' ' << size;
    }
}

TEST(Decompress, names_are_of_any_case_and_others_are_unknown) {
  std::string out;
  for (const char* const name : {"GZIP", "Gzip", "x-gzip"})
    EXPECT_EQ(decompress(name, gzip("a"), 10, out), Unpacking::done) << name;
  EXPECT_EQ(decompress("Zstd", zstd("a"), 10, out), Unpacking::done);
  for (const char* const name : {"", "identity", "Identity"}) {
    EXPECT_EQ(decompress(name, "as it is", 8, out), Unpacking::done);
    EXPECT_EQ(out, "as it is");
    EXPECT_EQ(decompress(name, "as it is", 7, out), Unpacking::too_large);
  }
  for (const char* const name : {"br", "gzip, gzip", "gzip,zstd", " gzip", "compress", "snappy", "gzipx", "gzi"})
    EXPECT_EQ(decompress(name, gzip("a"), 10, out), Unpacking::unknown_encoding) << name;
}

TEST(Decompress, an_empty_body_is_empty) {
  for (const auto& each : all) {
    std::string out = "left over";
    EXPECT_EQ(decompress(each.name, "", 10, out), Unpacking::done);
    EXPECT_EQ(out, "");
  }
}

TEST(Decompress, the_limit_is_exact) {
  const std::string in = mixed(70'000);
  for (const auto& [name, pack] : all) {
    std::string out;
    EXPECT_EQ(decompress(name, pack(in), in.size(), out), Unpacking::done) << name;
    EXPECT_TRUE(out == in);
    EXPECT_EQ(decompress(name, pack(in), in.size() - 1, out), Unpacking::too_large) << name;
    EXPECT_EQ(out, "");
    EXPECT_EQ(decompress(name, pack("x"), 0, out), Unpacking::too_large) << name;
    EXPECT_EQ(decompress(name, pack(""), 0, out), Unpacking::done) << name;
  }
}

TEST(Decompress, a_bomb_is_stopped_at_the_limit) {
  const std::string zeros(20U << 20U, '\0');
  for (const auto& [name, pack] : all) {
    std::string out;
    EXPECT_EQ(decompress(name, pack(zeros), 1U << 20U, out), Unpacking::too_large) << name;
    EXPECT_LE(out.capacity(), 2U << 20U) << name;
  }
}

TEST(Decompress, members_and_frames_follow_one_another) {
  std::string out;
  EXPECT_EQ(decompress("gzip", gzip("one ") + gzip("") + gzip("two"), 100, out), Unpacking::done);
  EXPECT_EQ(out, "one two");
  EXPECT_EQ(decompress("zstd", zstd("one ") + zstd("two"), 100, out), Unpacking::done);
  EXPECT_EQ(out, "one two");
  EXPECT_EQ(decompress("gzip", gzip("one") + gzip("two"), 5, out), Unpacking::too_large);
  EXPECT_EQ(decompress("gzip", gzip("one") + "rest", 100, out), Unpacking::malformed);
  EXPECT_EQ(decompress("zstd", zstd("one") + "rest", 100, out), Unpacking::malformed);
  EXPECT_EQ(decompress("deflate", deflate_zlib("one") + deflate_zlib("two"), 100, out), Unpacking::malformed);
}

TEST(Decompress, what_breaks_off_or_is_damaged_is_malformed) {
  const std::string in = mixed(300);
  for (const auto& [name, pack] : all) {
    const std::string whole = pack(in);
    std::string out;
    for (std::size_t size = 1; size < whole.size(); ++size) {
      EXPECT_EQ(decompress(name, whole.substr(0, size), any_size, out), Unpacking::malformed) << name << ' ' << size;
      EXPECT_EQ(out, "");
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
      const Unpacking how = decompress(name, damaged, 1000, out);
      if (how == Unpacking::done) {
        EXPECT_TRUE(out == in) << name << ' ' << at;  // the head of gzip says much that does not matter
      }
    }
    EXPECT_EQ(decompress(name, "no such thing", any_size, out), Unpacking::malformed) << name;
  }
}

TEST(Decompress, a_zstd_window_over_8_mib_is_refused) {
  const std::string in = mixed(1000);
  std::string out;
  EXPECT_EQ(decompress("zstd", zstd(in, 23), any_size, out), Unpacking::done);
  EXPECT_EQ(decompress("zstd", zstd(in, 24), any_size, out), Unpacking::malformed);
}

}  // namespace
}  // namespace sockeye::intake
