// Obtains a DPoP-bound access token and verifies it as a resource server would, from the issuer URL
// alone.
// Usage: CLIENT_SECRET=… npm run -s first-token -- ISSUER CLIENT_ID [RESOURCE]
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

/** Ends with a sentence: a stack trace would not say what to do. */
function stop(sentence: string, exitCode = 1): never {
  console.error(sentence);
  process.exit(exitCode);
}

const usage = 'Usage: CLIENT_SECRET=… npm run -s first-token -- ISSUER CLIENT_ID [RESOURCE]';
const [issuer = '', clientId = '', resource, ...more] = process.argv.slice(2);
const clientSecret = process.env['CLIENT_SECRET'] ?? '';
if (clientId === '' || more.length > 0) stop(usage, 2);
if (!/^https?:\/\//.test(issuer) || !URL.canParse(issuer))
  stop(`The first argument must be the issuer's URL, such as http://localhost:8080.\n${usage}`, 2);
if (clientSecret === '')
  stop(
    `The environment has no CLIENT_SECRET. Set it to the secret of the client ${clientId}.\n${usage}`,
    2,
  );

/** An answer, or a sentence when there is none. */
async function call(url: string, options: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...options, signal: AbortSignal.timeout(10_000) }).catch((error: unknown) => {
    const { cause, message } = error as Error;
    const reason = cause instanceof Error && cause.message !== '' ? cause.message : message;
    return stop(
      `Nothing answers at ${url} (${reason}). Is the server running, and is ${issuer} its issuer?`,
    );
  });
}

/** The JSON object of an answer, or a sentence. */
async function object(response: Response): Promise<Record<string, unknown>> {
  const value = await response.json().catch(() => undefined);
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  return stop(
    `${response.url} answered ${response.status} without a JSON object. Is ${issuer} the issuer?`,
  );
}

// 1. What the server can do (RFC 8414).
const { pathname } = new URL(issuer);
const wellKnown = `/.well-known/oauth-authorization-server${pathname.replace(/\/$/, '')}`;
const found = await call(new URL(wellKnown, issuer).href);
if (!found.ok)
  stop(`${found.url} answered ${found.status}: there is no authorization server ${issuer}.`);
const metadata = await object(found);
if (metadata['issuer'] !== issuer)
  stop(
    `The server at ${issuer} calls itself ${String(metadata['issuer'])}: use that as the first argument, to the letter (RFC 8414 section 3.3).`,
  );
const [tokenEndpoint, jwksUri] = [String(metadata['token_endpoint']), String(metadata['jwks_uri'])];

// 2. A key of the client's own; the private half never leaves this process.
const { publicKey, privateKey } = await generateKeyPair('ES256');
const jwk = await exportJWK(publicKey);

// 3. A DPoP proof for the token request (RFC 9449 §4.2), sent again once if the server asks for a
// nonce.
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
    `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`,
  ).toString('base64');
  return call(tokenEndpoint, {
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
const answer = await object(response);
console.log(`${response.status} ${response.statusText}`);
console.log(answer);
const { access_token: accessToken, error } = answer;
if (typeof accessToken !== 'string') {
  const advice: Readonly<Record<string, string>> = {
    invalid_client: `Is the client ${clientId} registered, and is CLIENT_SECRET its secret?`,
    invalid_target:
      'Register a resource server first; where there are several, name the audience of one as the last argument.',
    invalid_scope: 'Does the client have a scope of this resource server?',
  };
  stop(`No token. ${advice[String(error)] ?? 'The description above says why.'}`);
}

// 4. The resource server's side: signature, issuer and type by the JWK Set; then the key that the
// presenter must prove.
const { payload } = await jwtVerify(accessToken, createRemoteJWKSet(new URL(jwksUri)), {
  issuer,
  typ: 'at+jwt',
}).catch((fault: Error) => stop(`The token does not verify by ${jwksUri}: ${fault.message}.`));
console.log('\nheader ', decodeProtectedHeader(accessToken));
console.log('claims ', payload);
const cnf = payload['cnf'] as { jkt?: string } | undefined;
if (cnf?.jkt !== (await calculateJwkThumbprint(jwk)))
  stop(
    'The signature verifies, but cnf.jkt IS NOT the thumbprint of the key that signed the proof.',
  );
console.log(
  '\nThe signature verifies, and cnf.jkt is the thumbprint of the key that signed the proof.',
);
console.log(
  `A call to the API carries "Authorization: DPoP <token>" and a new proof with ath ${createHash('sha256').update(accessToken).digest('base64url')}.`,
);
