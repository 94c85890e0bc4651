// Obtains a DPoP-bound access token and verifies it as a resource server would, from the issuer URL alone.
// Usage: npm run -s first-token -- ISSUER CLIENT_ID CLIENT_SECRET [RESOURCE]
import { createHash, randomUUID } from 'node:crypto';
import {
  calculateJwkThumbprint,
  createRemoteJWKSet,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  jwtVerify,
  SignJWT,
} from 'jose';

const [issuer, clientId, clientSecret, resource] = process.argv.slice(2);
if (issuer === undefined || clientId === undefined || clientSecret === undefined) {
  console.error('Usage: npm run -s first-token -- ISSUER CLIENT_ID CLIENT_SECRET [RESOURCE]');
  process.exit(2);
}

// 1. What the server can do (RFC 8414).
const { pathname } = new URL(issuer);
const metadata = (await (
  await fetch(
    new URL(`/.well-known/oauth-authorization-server${pathname.replace(/\/$/, '')}`, issuer),
  )
).json()) as Record<string, string>;
const tokenEndpoint = metadata['token_endpoint'] ?? '';
const jwksUri = metadata['jwks_uri'] ?? '';

// 2. A key of the client's own; the private half never leaves this process.
const { publicKey, privateKey } = await generateKeyPair('ES256');
const jwk = await exportJWK(publicKey);

// 3. A DPoP proof for the token request (RFC 9449 section 4.2), sent again once if the server asks for a nonce.
async function requestToken(nonce?: string): Promise<Response> {
  const proof = await new SignJWT({
    jti: randomUUID(),
    htm: 'POST',
    htu: tokenEndpoint,
    ...(nonce !== undefined && { nonce }),
  })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
    .setIssuedAt()
    .sign(privateKey);
  const basic = Buffer.from(
    `${encodeURIComponent(clientId ?? '')}:${encodeURIComponent(clientSecret ?? '')}`,
  ).toString('base64');
  return fetch(tokenEndpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}`, dpop: proof },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      ...(resource !== undefined && { resource }),
    }),
  });
}
let response = await requestToken();
const nonce = response.headers.get('dpop-nonce');
if (response.status === 400 && nonce !== null) response = await requestToken(nonce);
const answer = (await response.json()) as { access_token?: string; token_type?: string };
console.log(`${response.status} ${response.statusText}`);
console.log(answer);
if (answer.access_token === undefined) process.exit(1);

// 4. The resource server's side: signature, issuer, type and audience by the JWKS; then the key that the presenter must prove.
const { payload } = await jwtVerify(answer.access_token, createRemoteJWKSet(new URL(jwksUri)), {
  issuer,
  typ: 'at+jwt',
});
console.log('\nheader ', decodeProtectedHeader(answer.access_token));
console.log('claims ', payload);
const cnf = payload['cnf'] as { jkt?: string } | undefined;
const ours = await calculateJwkThumbprint(jwk);
console.log(
  `\nThe signature verifies, and cnf.jkt ${cnf?.jkt === ours ? 'is' : 'IS NOT'} the thumbprint of the key that signed the proof.`,
);
console.log(
  `A call to the API carries "Authorization: DPoP <token>" and a new proof with ath ${createHash('sha256').update(answer.access_token).digest('base64url')}.`,
);
