"""An API that takes DPoP-bound access tokens (RFC 9068, RFC 9449), and nothing else.

Usage: ISSUER=... AUDIENCE=... ORIGIN=https://api.example.com PORT=3000 python3 resource_server.py
Needs Authlib, requests and cryptography. It verifies ES256, of tokens and of proofs.
"""
import hashlib
import itertools
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests
from authlib.common.encoding import to_native, urlsafe_b64encode
from authlib.jose import ECKey, JsonWebSignature
from authlib.jose.errors import JoseError


class Refused(Exception):
    """Why a request is refused: the error code of the challenge (RFC 6750 section 3.1, RFC 9449 section 7.1)."""


class Unavailable(Exception):
    """Nobody can say now whether the request is good: 503, not 200 and not 401."""


class IssuerKeys:
    """The issuer's ES256 keys by `kid`, fetched again when they are old or one is unknown."""

    def __init__(self, issuer, max_age=300, cool_down=10):
        self.issuer, self.max_age, self.cool_down = issuer, max_age, cool_down
        self.keys, self.fetched, self.lock = {}, float("-inf"), threading.Lock()

    def find(self, kid):
        with self.lock:
            age = time.monotonic() - self.fetched
            if age > self.max_age or (kid not in self.keys and age > self.cool_down):
                try:
                    self.keys = self.fetch_keys()
                except (requests.RequestException, ValueError, TypeError, KeyError) as cause:
                    raise Unavailable from cause
                self.fetched = time.monotonic()
            return self.keys.get(kid)

    def fetch_keys(self):
        metadata = self.fetch(f"{self.issuer}/.well-known/oauth-authorization-server")
        if metadata["issuer"] != self.issuer:
            raise ValueError("the metadata are of another issuer")
        listed = self.fetch(metadata["jwks_uri"])["keys"]
        return {jwk["kid"]: public_key(jwk) for jwk in listed if jwk.get("crv") == "P-256"}

    @staticmethod
    def fetch(url):
        answer = requests.get(url, timeout=5, allow_redirects=False)
        answer.raise_for_status()
        return answer.json()


class UsedProofs:
    """Used proofs of one process. Several processes need a shared store, such as Redis."""

    def __init__(self, limit=100_000):
        self.limit, self.used, self.lock = limit, {}, threading.Lock()

    def first_use(self, proof, until):
        with self.lock:
            now = time.time()
            # The oldest records come first.
            for old in list(itertools.takewhile(lambda one: self.used[one] < now, self.used)):
                del self.used[old]
            # It refuses further proofs rather than forget one that could be used again.
            if len(self.used) >= self.limit:
                raise Unavailable
            if proof in self.used:
                return False
            self.used[proof] = until
            return True


def public_key(jwk):
    if not isinstance(jwk, dict) or jwk.get("kty") != "EC" or jwk.get("crv") != "P-256" or "d" in jwk:
        raise ValueError("not a public key of P-256")
    return ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y")})


def verified(jws, typ, find_key):
    """The claims of a JWS with this `typ` and a good signature, and the key that signed it."""
    used = []

    def load_key(header, _):
        if header.get("typ") != typ or "crit" in header:
            raise ValueError("not a JWT of this kind")
        used.append(find_key(header))
        return used[0]

    payload = JsonWebSignature(algorithms=["ES256"]).deserialize_compact(jws, load_key)["payload"]
    claims = json.loads(payload)
    if not isinstance(claims, dict):
        raise ValueError("no claims")
    return claims, used[0]


class TokenChecker:
    def __init__(self, issuer, audience, max_age=60, max_future=5):
        self.issuer, self.audience = issuer, audience
        self.max_age, self.max_future = max_age, max_future
        self.keys, self.used = IssuerKeys(issuer), UsedProofs()

    def check(self, method, uri, authorizations, proofs):
        """The claims of the token. `uri` is the public one, without a query. Raises Refused."""
        scheme, _, token = (authorizations[0] if len(authorizations) == 1 else "").partition(" ")
        if scheme.lower() != "dpop":
            raise Refused("invalid_token")
        try:
            claims = self.token_claims(token)
        except (JoseError, ValueError, TypeError, KeyError) as cause:
            raise Refused("invalid_token") from cause
        try:
            if len(proofs) != 1:
                raise ValueError("one proof is needed")
            self.check_proof(proofs[0], method, uri, token, claims["cnf"]["jkt"])
        except (JoseError, ValueError, TypeError, KeyError) as cause:
            raise Refused("invalid_dpop_proof") from cause
        return claims

    def token_claims(self, token):
        def key(header):
            found = self.keys.find(header["kid"])
            if found is None:
                raise ValueError("unknown key")
            return found

        claims, _ = verified(token, "at+jwt", key)
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if claims["iss"] != self.issuer or self.audience not in audiences:
            raise ValueError("for somebody else")
        if claims["exp"] <= time.time():
            raise ValueError("expired")
        if not isinstance(claims["cnf"]["jkt"], str):
            raise ValueError("not bound to a key")
        return claims

    def check_proof(self, proof, method, uri, token, jkt):
        """RFC 9449 section 4.3."""
        claims, key = verified(proof, "dpop+jwt", lambda header: public_key(header["jwk"]))
        ath = to_native(urlsafe_b64encode(hashlib.sha256(token.encode()).digest()))
        iat, jti = claims["iat"], claims["jti"]
        if claims["htm"] != method or claims["htu"].split("?")[0].split("#")[0] != uri:
            raise ValueError("for another request")
        if claims["ath"] != ath or key.thumbprint() != jkt:
            raise ValueError("for another token, or by another key")
        if not -self.max_age <= iat - time.time() <= self.max_future:
            raise ValueError("too old, or not yet good")
        if not isinstance(jti, str) or not 0 < len(jti) <= 256:
            raise ValueError("no jti")
        # Last, so that only a good proof is recorded.
        if not self.used.first_use((jkt, jti), iat + self.max_age):
            raise ValueError("used before")


checker = TokenChecker(os.environ["ISSUER"], os.environ["AUDIENCE"])
origin = os.environ["ORIGIN"]  # from the configuration: `Host` is the client's word


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        uri = origin + self.path.split("?")[0]
        fields = [self.headers.get_all(name, []) for name in ("Authorization", "DPoP")]
        try:
            claims = checker.check(self.command, uri, *fields)
        except Refused as refused:
            return self.answer(401, {"error": str(refused)}, f'DPoP error="{refused}", algs="ES256"')
        except Unavailable:
            return self.answer(503, {"error": "temporarily_unavailable"})
        self.answer(200, {"client_id": claims["client_id"]})

    def answer(self, status, members, challenge=None):
        body = json.dumps(members).encode()
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Api).serve_forever()
