#include "engagement/token.h"

#include <catch2/catch.hpp>

#include "engagement/base64url.h"

using namespace posthaste::engagement;

namespace {

const std::string kOld = "an old key of twenty and more";
const std::string kNew = "a new key of twenty and more";

const Link kClick{LinkKind::Click, R"({"message_id":"m","rcpt_to":"a@b.test"})",
                  "https://shop.test/?a=1&b=2", "Deal"};

std::string sign(const std::vector<std::string>& keys, const Link& link) {
  const auto token = TokenSigner(keys).sign(link);
  REQUIRE(token);
  return *token;
}

}  // namespace

TEST_CASE("A token gives back what was signed, of every kind", "[engagement][token]") {
  const TokenSigner signer({kNew});
  for (const LinkKind kind : {LinkKind::Click, LinkKind::Unsubscribe, LinkKind::ListUnsubscribe,
                              LinkKind::Open, LinkKind::InitialOpen}) {
    for (const char* name : {"", "Deal", "\xc3\xa9"}) {
      const Link link{kind, kClick.context, kClick.target, name};
      const auto verified = signer.verify(sign({kNew}, link));
      REQUIRE(verified);
      CHECK(verified->link.kind == kind);
      CHECK(verified->link.context == link.context);
      CHECK(verified->link.target == link.target);
      CHECK(verified->link.name == link.name);
    }
  }
}

TEST_CASE("The same link has the same token, and another link another", "[engagement][token]") {
  CHECK(sign({kNew}, kClick) == sign({kNew}, kClick));
  Link other = kClick;
  other.kind = LinkKind::Open;
  const TokenSigner signer({kNew});
  CHECK(signer.verify(sign({kNew}, other))->id != signer.verify(sign({kNew}, kClick))->id);
}

TEST_CASE("A token with any character changed, left out or added is refused",
          "[engagement][token]") {
  const TokenSigner signer({kNew});
  const std::string token = sign({kNew}, kClick);
  REQUIRE(signer.verify(token));
  for (size_t i = 0; i < token.size(); ++i) {
    for (const char digit : kBase64UrlDigits) {
      if (digit == token[i]) continue;
      std::string altered = token;
      altered[i] = digit;
      // One check a token: thousands of assertions are slow.
      if (signer.verify(altered)) FAIL("altered at " << i);
    }
    CHECK_FALSE(signer.verify(token.substr(0, i)));
    CHECK_FALSE(signer.verify(std::string(token).erase(i, 1)));
    CHECK_FALSE(signer.verify(token + token.substr(0, i + 1)));
  }
  for (const char* more : {"=", "==", " ", "\n", ".gif", "%3D"}) {
    CHECK_FALSE(signer.verify(token + more));
  }
  CHECK_FALSE(signer.verify(std::string(kTokenSizeMax + 1, 'A')));
}

TEST_CASE("A token of another key is refused", "[engagement][token]") {
  CHECK_FALSE(TokenSigner({kNew}).verify(sign({kOld}, kClick)));
  CHECK_FALSE(TokenSigner({kNew, kNew + "x"}).verify(sign({kOld}, kClick)));
}

TEST_CASE("The first key signs and every key verifies", "[engagement][token]") {
  const std::string old_token = sign({kOld}, kClick);
  CHECK(TokenSigner({kNew, kOld}).verify(old_token));
  CHECK(TokenSigner({kOld, kNew}).verify(sign({kNew, kOld}, kClick)));
  CHECK(sign({kNew, kOld}, kClick) == sign({kNew}, kClick));
}

TEST_CASE("A link that was sent with version 1 is answered for ever", "[engagement][token]") {
  // Mailboxes are full of them: when this fails, the format has changed and needs another version.
  const char* const token =
      "usaIcmnbHmobrNPjEvd9yxGrRvVoLopPEx2S9ED5T6mWAaanOCO_ACymb59oa6iWZGvE4JKamAMA";
  const auto verified = TokenSigner({kOld}).verify(token);
  REQUIRE(verified);
  CHECK(verified->link.kind == LinkKind::Click);
  CHECK(verified->link.context == kClick.context);
  CHECK(verified->link.target == kClick.target);
  CHECK(verified->link.name == kClick.name);
}

TEST_CASE("Base64 for URLs has one text for the same bytes", "[engagement][token]") {
  for (const std::string& bytes : {std::string(), std::string("f"), std::string("fo"),
                                   std::string("foo"), std::string("\0\xff\xfe", 3)}) {
    CHECK(decode_base64url(encode_base64url(bytes)) == bytes);
  }
  CHECK(encode_base64url("fo") == "Zm8");
  CHECK(encode_base64url(std::string("\xfb\xff", 2)) == "-_8");
  for (const char* bad : {"Zm9", "Zn", "Z", "Zm8=", "Zm+8", "Zm/8", "Zm 8"}) {
    CAPTURE(bad);
    CHECK_FALSE(decode_base64url(bad));
  }
}
