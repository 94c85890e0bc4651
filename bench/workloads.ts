import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto';
import { basic, formBody } from '../test/support/server.ts';

/** What is measured, in the order of the table. */
export const workloads = ['W2', 'W3', 'W4', 'W5'] as const;
/** And what `--gateway` compares. */
export type Workload = (typeof workloads)[number] | 'W6' | 'W7';

export const workloadNames: Readonly<Record<Workload, string>> = {
  W2: 'client_secret_basic + DPoP',
  W3: 'private_key_jwt + DPoP',
  W4: 'JWK Set',
  W5: 'introspection of bound tokens',
  W6: 'introspection with proof',
  W7: 'question of a gateway',
};

/** ES256 operations that a request cannot do without. */
export const cryptoOperations: Readonly<
  Record<Workload, { readonly verify: number; readonly sign: number }>
> = {
  W2: { verify: 1, sign: 1 },
  W3: { verify: 2, sign: 1 },
  W4: { verify: 0, sign: 0 },
  W5: { verify: 1, sign: 0 },
  W6: { verify: 2, sign: 0 },
  W7: { verify: 2, sign: 0 },
};

/** Names and secrets that the server knows. Passed to the generator as JSON. */
export interface Fixture {
  readonly issuer: string;
  readonly port: number;
  readonly audience: string;
  readonly basicClient: string;
  /** With it, the clients of W2 are `clientName(1)` to `clientName(activeClients)` in turn. */
  readonly activeClients?: number;
  readonly keyClient: string;
  readonly resourceServer: string;
  readonly secret: string;
  /** Private JWK of `keyClient`, to which the tokens below are bound. */
  readonly clientKey: object;
  /** Tokens to introspect, in turn. */
  readonly tokens: readonly string[];
}

/** Names of clients by the million; all have the secret of `basicClient`. */
export const clientName = (number: number) => `many-${number}`;

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

function signed(header: object, claims: object, key: KeyObject): string {
  const input = `${encoded({ alg: 'ES256', ...header })}.${encoded(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/** Keys of the proofs, in turn; one each where there are more clients. */
const fewestHolders = 256;

const holder = () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, header: { typ: 'dpop+jwt', jwk: publicKey.export({ format: 'jwk' }) } };
};
/** Kept from load to load, as clients keep theirs. */
const keys: ReturnType<typeof holder>[] = [];

/**
 * HTTP/1.1 requests as they go over the wire, each with proofs of its own, made just before they
 * are sent.
 */
export function requestsFor(
  workload: Workload,
  count: number,
  fixture: Fixture,
): readonly Buffer[] {
  const { issuer, port, audience, secret } = fixture;
  const now = Math.floor(Date.now() / 1000);
  const holders = Math.max(fewestHolders, fixture.activeClients ?? 1);
  while (keys.length < holders) keys.push(holder());
  const clientKey = createPrivateKey({
    key: fixture.clientKey as Record<string, string>,
    format: 'jwk',
  });
  const proof = (index: number) => {
    const { privateKey, header } = keys[index % holders] as (typeof keys)[number];
    return signed(
      header,
      { jti: randomUUID(), htm: 'POST', htu: `${issuer}/token`, iat: now },
      privateKey,
    );
  };
  const apiUrl = `${audience}/things`;
  const apiHeader = {
    typ: 'dpop+jwt',
    jwk: createPublicKey(clientKey).export({ format: 'jwk' }),
  };
  const presented = (index: number) => {
    const token = fixture.tokens[index % fixture.tokens.length] ?? '';
    const ath = hash('sha256', token, 'base64url');
    const claims = { jti: randomUUID(), htm: 'GET', htu: apiUrl, iat: now, ath };
    return { token, dpop: signed(apiHeader, claims, clientKey) };
  };
  const assertion = () =>
    signed(
      {},
      {
        iss: fixture.keyClient,
        sub: fixture.keyClient,
        aud: issuer,
        jti: randomUUID(),
        iat: now,
        exp: now + 120,
      },
      clientKey,
    );
  const post = (path: string, form: Record<string, string>, fields: readonly string[]) => {
    const body = formBody(form);
    const head = [
      `POST ${path} HTTP/1.1`,
      `host: 127.0.0.1:${port}`,
      'content-type: application/x-www-form-urlencoded',
      `content-length: ${body.length}`,
    ];
    return Buffer.from(`${[...head, ...fields].join('\r\n')}\r\n\r\n${body}`);
  };
  const grant = { grant_type: 'client_credentials', resource: audience };
  const make: Readonly<Record<Workload, (index: number) => Buffer>> = {
    W2: (index) =>
      post('/token', grant, [
        `authorization: ${basic(fixture.activeClients === undefined ? fixture.basicClient : clientName((index % fixture.activeClients) + 1), secret)}`,
        `dpop: ${proof(index)}`,
      ]),
    W3: (index) =>
      post(
        '/token',
        {
          ...grant,
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: assertion(),
        },
        [`dpop: ${proof(index)}`],
      ),
    W4: () => Buffer.from(`GET /jwks HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`),
    W5: (index) =>
      post('/introspect', { token: fixture.tokens[index % fixture.tokens.length] ?? '' }, [
        `authorization: ${basic(fixture.resourceServer, secret)}`,
      ]),
    W6: (index) => {
      const { token, dpop } = presented(index);
      return post('/introspect', { token, dpop_proof: dpop, htm: 'GET', htu: apiUrl }, [
        `authorization: ${basic(fixture.resourceServer, secret)}`,
      ]);
    },
    W7: (index) => {
      const { token, dpop } = presented(index);
      const head = [
        `GET /auth-request?audience=${encodeURIComponent(audience)} HTTP/1.1`,
        `host: 127.0.0.1:${port}`,
        `authorization: DPoP ${token}`,
        `dpop: ${dpop}`,
        'x-original-method: GET',
        `x-original-url: ${apiUrl}`,
      ];
      return Buffer.from(`${head.join('\r\n')}\r\n\r\n`);
    },
  };
  return Array.from({ length: count }, (_, index) => make[workload](index));
}
