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
           {"/a?xtoken=1&tokenx=2", "/a?xtoken=REDACTED&tokenx=2"},
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
  EXPECT_EQ(redact_target("/a?token=1&key=2", {}), "/a?token=REDACTED&key=2") << "a credential's name needs no rule";
}

// By its name, however it is spelled, and whatever the rules are.
TEST(RedactTarget, KnowsCredentialsByName) {
  for (const auto* name : {"password",
                           "passwd",
                           "PASSWORD",
                           "user_password",
                           "userPassword",
                           "pwd",
                           "apikey",
                           "api_key",
                           "api-key",
                           "apiKey",
                           "X-API-Key",
                           "sig",
                           "signature",
                           "oauth_signature",
                           "jwt",
                           "id_jwt",
                           "secret",
                           "client_secret",
                           "clientSecret",
                           "client-secret",
                           "refresh_token",
                           "refreshToken",
                           "access_token",
                           "accesstoken",
                           "id_token",
                           "csrf_token",
                           "auth",
                           "authorization",
                           "auth_token",
                           "bearer",
                           "X-Amz-Signature",
                           "X-Amz-Credential",
                           "X-Amz-Security-Token",
                           "X-Goog-Signature",
                           "access_key",
                           "AWSAccessKeyId",
                           "private_key",
                           "session_id",
                           "PHPSESSID",
                           "jsessionid",
                           "otp",
                           "passphrase",
                           "credentials",
                           "%70assword",
                           "ocp-apim-subscription-key"})
    EXPECT_EQ(redact_target(std::string("/a?x=1&") + name + "=abcdef", {}),
              std::string("/a?x=1&") + name + "=REDACTED");
  EXPECT_EQ(redact_target("/a?code=4/0AX4XfWh&state=1", {}), "/a?code=REDACTED&state=1");
  EXPECT_EQ(redact_target("/login;jsessionid=abc;v=1/x", {}), "/login;jsessionid=REDACTED;v=1/x");
}

TEST(RedactTarget, KnowsCredentialsByLook) {
  for (const auto* value :
       {"sk-proj-abcdefghij0123456789", "sk_live_51H8abcdefgh", "ghp_abcdefghijklmnopqrst12345", "AKIAIOSFODNN7EXAMPLE",
        "xoxb-1234567890-abcdef", "9f86d081884c7d659a2feaa0c55ad015", "9F86D081884C7D659A2FEAA0C55AD015a3bf4f1b",
        "dGhpcyBpc0EgU2VjcmV0IHQwa2VuIGZvciB5b3U3Nw", "kX9_fQ2-Zr7TqLw3Nc8Vb5Yh1Gd6Js0P"}) {
    EXPECT_EQ(redact_target(std::string("/a?x=") + value + "&y=1", {}), "/a?x=REDACTED&y=1") << value;
    EXPECT_EQ(redact_target(std::string("/hook/") + value + "/y", {}), "/hook/REDACTED/y") << value;
    EXPECT_EQ(redact_target(std::string("/a?") + value, {}), "/a?REDACTED") << value;
  }
}

// What redaction must not cost: the names of things.
TEST(RedactTarget, KeepsWhatIsNone) {
  for (const auto* target : {"/rooms/design-review",
                             "/a?page=3",
                             "/a?sort=signature-date",
                             "/a?max_tokens=100&tokens=5",
                             "/a?author=ann",
                             "/a?keyboard=de&monkey=1&passenger=2&compass=n",
                             "/a?code=404&zipcode=12345&country_code=DE",
                             "/a?session=design-review",
                             "/a?next_page_token=CAUQAA",
                             "/a?design=1&signal=2&assignee=3&secretary=4&tokenizer=5&authority=6",
                             "/rooms/550e8400-e29b-41d4-a716-446655440000",
                             "/a?id=550e8400-e29b-41d4-a716-446655440000",
                             "/my-long-room-name-with-many-words-in-it/2024-edition-for-all",
                             "/My-Long-Room-Name-2024-Edition-For-All-Of-Us",
                             "/someCamelCaseNameOfAnOperationThatIsLong2",
                             "/a?traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                             "/a?trace_id=0af7651916cd43dd8448eb211c80319c",
                             "/a?locale=sk-SK",
                             "/task-navigation-bar-of-the-site",
                             "/a?n=12345678901234567890123456789012345",
                             "/socket.io/?EIO=4&transport=websocket&sid=lv_VI97HAXpY6yYWAAAB",
                             "/v1/realtime?model=gpt-4o-realtime-preview-2024-12-17"})
    EXPECT_EQ(redact_target(target, {}), target);
}

TEST(RedactHeader, ReplacesWhatIsNamed) {
  EXPECT_EQ(redact_header("Authorization", "Bearer x", rules), "REDACTED");
  EXPECT_EQ(redact_header("User-Agent", "curl/8", rules), "curl/8");
  EXPECT_EQ(redact_header("Authorization", "", rules), "");
  EXPECT_EQ(redact_header("X-Api-Key", "abc", {}), "REDACTED");
  EXPECT_EQ(redact_header("X-Auth-Token", "abc", {}), "REDACTED");
  EXPECT_EQ(redact_header("User-Agent", "bot/1 (key sk-abcdefghij0123456789)", {}), "bot/1 (key REDACTED)");
  EXPECT_EQ(redact_header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", {}),
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_EQ(redact_header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", {}), "dGhlIHNhbXBsZSBub25jZQ==");
}

TEST(RedactText, KeepsTheWordsAroundACredential) {
  for (const auto& [text, kept] : std::vector<std::pair<std::string, std::string>>{
           {"", ""},
           {"going away", "going away"},
           {"no such tenant", "no such tenant"},
           {"token=abc is not valid", "token=REDACTED is not valid"},
           {"bad access_token=abc, retry", "bad access_token=REDACTED, retry"},
           {"login: api_key:abc", "login: api_key:REDACTED"},
           {R"({"error":"denied","token":"abc","n":1})", R"({"error":"denied","token":"REDACTED","n":1})"},
           {R"({"password" : 1, "secret": "a b"})", R"({"password" : 1, "secret": "REDACTED b"})"},
           {"Authorization: Bearer abc", "Authorization: REDACTED"},
           {std::string("expired: ") + jwt, "expired: REDACTED"},
           {"see https://u:p@h/x?sig=abc&y=1", "see https://REDACTED@h/x?sig=REDACTED&y=1"},
           {"key sk-abcdefghij0123456789 and ghp_abcdefghijklmnopqrst12345.", "key REDACTED and REDACTED"},
           {"password: required", "password: required"},
           {"auth: failed, code: timeout", "auth: failed, code: timeout"},
           {"token", "token"},
           {"token=", "token="},
           {"=x:y", "=x:y"},
       })
    EXPECT_EQ(redact_text(text), kept) << text;
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
  EXPECT_EQ(redact_subprotocol("openai-insecure-api-key.sk-abcdefghij0123456789", {}), "REDACTED");
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
