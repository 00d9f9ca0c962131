#include "sockeye/signal/redact.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sockeye::signal {
namespace {

const std::vector<std::string> rules{"query.token", "query.api_key", "header.authorization",
                                     "subprotocol", "nonsense",      ""};
constexpr const char* jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";

TEST(RedactTarget, ReplacesWhatIsNamed) {
  for (const auto& [target, kept] : std::vector<std::pair<std::string, std::string>>{
           {"/", "/"},
           {"/a/b", "/a/b"},
           {"/?", "/?"},
           {"/a?room=1", "/a?room=1"},
           {"/a?token=s3cret", "/a?token=REDACTED"},
           {"/a?token=", "/a?token="},
           {"/a?token", "/a?token"},
           {"/a?TOKEN=s3cret&room=1", "/a?TOKEN=REDACTED&room=1"},
           {"/a?x=1&token=s3=c=ret&&api_key=k;token=z&", "/a?x=1&token=REDACTED&&api_key=REDACTED;token=REDACTED&"},
           {"/a?%74oken=s3cret", "/a?%74oken=REDACTED"},
           {"/a?to%6Ben=s3cret", "/a?to%6Ben=REDACTED"},
           {"/a?xtoken=1&tokenx=2", "/a?xtoken=1&tokenx=2"},
           {"/a?token=?token=s3cret", "/a?token=REDACTED"},
           {"/a?%=1&%7=2&%zz=3", "/a?%=1&%7=2&%zz=3"},
           {"/a?b=http%3A%2F%2Fu%3Ap%40h%2F", "/a?b=REDACTED"},
           {"/a?b=http://u:p@h/", "/a?b=REDACTED"},
           {"/a?b=a@b.c", "/a?b=a@b.c"},
           {"/proxy/http://user:pass@host/x", "/proxy/http://REDACTED@host/x"},
           {"//user:pass@host/x//u@h", "//REDACTED@host/x//REDACTED@h"},
           {"/a//b@", "/a//REDACTED@"},
           {"/a@b/c", "/a@b/c"},
           {std::string("/s/") + jwt + "/x", "/s/REDACTED/x"},
           {std::string("/s?other=") + jwt, "/s?other=REDACTED"},
           {std::string("/s?") + jwt, "/s?REDACTED"},
           {std::string("/s?") + jwt + "=1", "/s?REDACTED=1"},
           {"/s?x=eyJust.a.word", "/s?x=eyJust.a.word"},
       })
    EXPECT_EQ(redact_target(target, rules), kept) << target;
  const std::vector<std::string> everything{"query.*"};
  EXPECT_EQ(redact_target("/a?b=1&c=&d", everything), "/a?b=REDACTED&c=&d");
  EXPECT_EQ(redact_target("/a?token=1", {}), "/a?token=1");
}

TEST(RedactHeader, ReplacesWhatIsNamed) {
  EXPECT_EQ(redact_header("Authorization", "Bearer x", rules), "REDACTED");
  EXPECT_EQ(redact_header("User-Agent", "curl/8", rules), "curl/8");
  EXPECT_EQ(redact_header("Authorization", "", rules), "");
}

// IANA's registry, and what the field uses.
TEST(RedactSubprotocol, KeepsNames) {
  for (const auto* name : {"MBWS.huawei.com",
                           "MBLWS.huawei.com",
                           "soap",
                           "wamp",
                           "wamp.2.json",
                           "v10.stomp",
                           "v12.stomp",
                           "ocpp1.2",
                           "ocpp2.0.1",
                           "ocpp2.1",
                           "rfb",
                           "sip",
                           "notificationchannel-netapi-rest.openmobilealliance.org",
                           "wpcp",
                           "amqp",
                           "mqtt",
                           "mqttv3.1",
                           "jsflow",
                           "rwpcp",
                           "xmpp",
                           "ship",
                           "mielecloudconnect",
                           "v10.pcp.sap.com",
                           "msrp",
                           "v1.saltyrtc.org",
                           "TLCP-2.0.0.lightstreamer.com",
                           "bfcp",
                           "sldp.softvelum.com",
                           "opcua+uacp",
                           "opcua+uajson",
                           "v1.swindon-lattice+json",
                           "v1.usp",
                           "mles-websocket",
                           "coap",
                           "graphql-ws",
                           "graphql-transport-ws",
                           "realtime",
                           "openai-beta.realtime-v1",
                           "v4.channel.k8s.io",
                           "base64.binary.k8s.io",
                           "actioncable-v1-json",
                           "actioncable-unsupported",
                           "nats",
                           "protobuf.v2",
                           "json.webpubsub.azure.v1",
                           "janus-protocol",
                           "vite-hmr",
                           "binary",
                           "base64url",
                           "2016.serialization.bincode",
                           "chat",
                           ""})
    EXPECT_EQ(redact_subprotocol(name, rules), name);
}

TEST(RedactSubprotocol, HidesCredentials) {
  for (const auto* name : {"openai-insecure-api-key.sk-proj-abc",
                           "base64url.bearer.authorization.k8s.io.ZXlKaGJHY2lPaUpTVXpJMU5pSXNJbXRw",
                           jwt,
                           "bearer.abc",
                           "Bearer-abc",
                           "token",
                           "access_token.x",
                           "auth_abc",
                           "550e8400-e29b-41d4-a716-446655440000",
                           "9f86d081884c7d659a2feaa0c55ad015",
                           "sk-1",
                           "aGVsbG8gd29ybGQ",
                           "x7f3k9q2",
                           "1234567890",
                           "abcdefghijklmnopqrstuvwxyz",
                           "name with space",
                           "a\xc3\xa4",
                           "a=b",
                           "a,b",
                           "abc.abc.abc.abc.abc.abc.abc.abc.abc.abc.abc.abc.abc.abc.abc.abc.abc"})
    EXPECT_EQ(redact_subprotocol(name, rules), "REDACTED") << name;
  EXPECT_EQ(redact_subprotocol("bearer.abc", {}), "bearer.abc");
}

TEST(Printable, IsValidUtf8) {
  const std::string bad = "\xef\xbf\xbd";
  for (const auto& [text, kept] : std::vector<std::pair<std::string, std::string>>{
           {"plain", "plain"},
           {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9f", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9f"},
           {std::string("a\0b", 3), "a" + bad + "b"},
           {"\t\n\x7f", bad + bad + bad},
           {"\x80", bad},
           {"\xc2\x9b"
            "31m",
            bad + "31m"},
           {"\xc2\xa0", "\xc2\xa0"},
           {"\xed\xa0\x80", bad + bad + bad},
           {"\xe2\x82x", bad + "x"},
           {"\xff", bad},
       })
    EXPECT_EQ(printable(text), kept);
}

}  // namespace
}  // namespace sockeye::signal
