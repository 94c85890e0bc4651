#!/bin/sh
# Gets a DPoP-bound access token and calls an API with it. Needs curl and openssl, and no more.
set -eu
usage() {
  echo "Usage: ISSUER=… CLIENT_ID=… CLIENT_SECRET=… RESOURCE=… sh $0 URL" >&2
  exit 2
}
[ $# -eq 1 ] && [ -n "${ISSUER-}" ] && [ -n "${CLIENT_ID-}" ] && [ -n "${CLIENT_SECRET-}" ] &&
  [ -n "${RESOURCE-}" ] || usage
url=$1
umask 077
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# The key. Keep it somewhere (only its owner can read it), and every run is the same holder.
key=${KEY_FILE:-$dir/key.pem}
[ -s "$key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$key"

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
# A public key of P-256 ends with its coordinates, 32 bytes each.
coordinates() { openssl pkey -in "$key" -pubout -outform DER | tail -c 64; }
jwk="{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"$(coordinates | head -c 32 | base64url)\",\"y\":\"$(coordinates | tail -c 32 | base64url)\"}"

# Signs its input by ES256. OpenSSL writes DER; JWS wants the two integers, 32 bytes each.
es256() {
  hex=$(openssl dgst -sha256 -sign "$key" | openssl asn1parse -inform DER |
    sed -n 's/.*INTEGER *://p' | while read -r integer; do printf '%64s' "$integer" | tr ' ' 0; done)
  openssl asn1parse -genstr "FORMAT:HEX,OCTETSTRING:$hex" -noout -out "$dir/signature"
  tail -c 64 "$dir/signature" | base64url
}

# proof METHOD URL NONCE TOKEN: a DPoP proof (RFC 9449 section 4.2). A new one for every request.
proof() {
  claims="\"jti\":\"$(openssl rand -hex 16)\",\"htm\":\"$1\",\"htu\":\"${2%%[?#]*}\",\"iat\":$(date +%s)"
  [ -z "$3" ] || claims="$claims,\"nonce\":\"$3\""
  [ -z "$4" ] || claims="$claims,\"ath\":\"$(printf %s "$4" | openssl dgst -sha256 -binary | base64url)\""
  signed=$(printf '{"typ":"dpop+jwt","alg":"ES256","jwk":%s}' "$jwk" | base64url).$(printf '{%s}' "$claims" | base64url)
  printf %s "$signed.$(printf %s "$signed" | es256)"
}

# The secret and the token go through standard input: others can read the arguments of a process.
ask_token() {
  printf %s "$CLIENT_SECRET" | curl -sS -o "$dir/body" -D "$dir/head" "$token_endpoint" \
    -H "DPoP: $(proof POST "$token_endpoint" "$nonce" '')" \
    -d grant_type=client_credentials --data-urlencode "resource=$RESOURCE" \
    --data-urlencode "client_id=$CLIENT_ID" --data-urlencode client_secret@-
}
call_api() {
  printf 'Authorization: DPoP %s\nDPoP: %s\n' "$token" "$(proof GET "$url" "$nonce" "$token")" |
    curl -sS -o "$dir/body" -D "$dir/head" -H @- "$url"
}

# once COMMAND: runs it, and once more with the nonce that a server demands (RFC 9449 section 8, section 9).
once() {
  nonce=
  "$1"
  grep -qs use_dpop_nonce "$dir/body" "$dir/head" || return 0
  nonce=$(tr -d '\r' <"$dir/head" | sed -n 's/^[Dd][Pp][Oo][Pp]-[Nn][Oo][Nn][Cc][Ee]: *//p')
  "$1"
}
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

metadata=$(curl -sS "$ISSUER/.well-known/oauth-authorization-server")
# Metadata of somebody else would get the secret (RFC 8414 section 3.3).
[ "$(printf %s "$metadata" | member issuer)" = "$ISSUER" ] || { echo 'not the metadata of this issuer' >&2; exit 1; }
token_endpoint=$(printf %s "$metadata" | member token_endpoint)
once ask_token
token=$(member access_token <"$dir/body")
[ -n "$token" ] || { cat "$dir/body" >&2; exit 1; }
once call_api
cat "$dir/body"
head -n 1 "$dir/head" | grep -q ' 2[0-9][0-9]'
