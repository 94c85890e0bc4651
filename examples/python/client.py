"""Gets a DPoP-bound access token and calls an API with it.

Usage: ISSUER=... CLIENT_ID=... CLIENT_SECRET=... RESOURCE=... python3 client.py https://api.example.com/reports
Needs Authlib, requests and cryptography.
"""
import hashlib
import json
import os
import sys
import time
import uuid
from urllib.parse import urlsplit, urlunsplit

import requests
from authlib.common.encoding import to_bytes, to_native, urlsafe_b64decode, urlsafe_b64encode
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import ECKey, JsonWebSignature


class DPoPAdapter(requests.adapters.HTTPAdapter):
    """Adds a DPoP proof to every request (RFC 9449 section 4.2), and answers nonces (sections 8 and 9)."""

    def __init__(self):
        super().__init__()
        self.key = ECKey.generate_key("P-256", is_private=True)
        self.nonces = {}  # the newest of each origin

    def proof(self, request):
        uri = urlsplit(request.url)
        claims = {
            "jti": str(uuid.uuid4()),
            "htm": request.method,
            "htu": urlunsplit((uri.scheme, uri.netloc, uri.path or "/", "", "")),
            "iat": int(time.time()),
        }
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme == "DPoP":
            digest = hashlib.sha256(token.encode()).digest()
            claims["ath"] = to_native(urlsafe_b64encode(digest))
        if nonce := self.nonces.get(uri.netloc):
            claims["nonce"] = nonce
        public = self.key.as_dict(is_private=False)
        # Authlib drops leading zeros of a coordinate; RFC 7518 section 6.2.1.2 wants all 32 bytes.
        padded = (urlsafe_b64decode(to_bytes(public[name])).rjust(32, b"\0") for name in "xy")
        x, y = (to_native(urlsafe_b64encode(coordinate)) for coordinate in padded)
        jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}
        return to_native(JsonWebSignature().serialize_compact(header, json.dumps(claims), self.key))

    def send(self, request, **kwargs):
        request.headers["DPoP"] = self.proof(request)
        answer = super().send(request, **kwargs)
        nonce = answer.headers.get("DPoP-Nonce")
        if not nonce:
            return answer
        self.nonces[urlsplit(request.url).netloc] = nonce
        challenge = answer.headers.get("WWW-Authenticate", "")
        demanded = "use_dpop_nonce" in challenge or (
            answer.status_code == 400 and b"use_dpop_nonce" in answer.content
        )
        # A body that was streamed is gone, and cannot be sent again.
        if demanded and isinstance(request.body, (bytes, str, type(None))):
            answer.close()
            request.headers["DPoP"] = self.proof(request)
            answer = super().send(request, **kwargs)
            self.nonces[urlsplit(request.url).netloc] = answer.headers.get("DPoP-Nonce", nonce)
        return answer


def dpop_session(issuer, client_id, client_secret):
    """An Authlib session whose every request has a proof by one key."""
    # Authlib sends a secret by Basic as it is, so one with "+" or "%" would be refused.
    session = OAuth2Session(client_id, client_secret, token_endpoint_auth_method="client_secret_post")
    adapter = DPoPAdapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # Authlib knows bearer tokens only; a token of the type DPoP has a scheme of that name.
    session.token_auth.SIGN_METHODS = {
        "dpop": lambda token, uri, headers, body, _: (
            uri, {**headers, "Authorization": f"DPoP {token}"}, body)
    }
    metadata = requests.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=10).json()
    if metadata["issuer"] != issuer:  # it would get the secret (RFC 8414 section 3.3)
        raise ValueError("not the metadata of this issuer")
    session.metadata["token_endpoint"] = metadata["token_endpoint"]
    return session


if __name__ == "__main__":
    env = os.environ
    session = dpop_session(env["ISSUER"], env["CLIENT_ID"], env["CLIENT_SECRET"])
    # A redirect would carry the secret or the token to another place.
    careful = {"allow_redirects": False, "timeout": 10}
    session.fetch_token(grant_type="client_credentials", resource=env["RESOURCE"], **careful)
    answer = session.get(sys.argv[1], **careful)
    print(answer.text)
    sys.exit(0 if answer.status_code < 300 else 1)
