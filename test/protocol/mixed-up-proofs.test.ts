import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Delegation, delegation } from '../support/delegation.ts';
import { type Federation, federation } from '../support/id-jag.ts';
import { randomJti } from '../support/keys.ts';
import { ath, exchangeForm, pairSecret, seconds, unaware } from '../support/pair.ts';
import { type Answer, basic, issuer } from '../support/server.ts';

const gatewayToken = 'g'.repeat(32);
const origin = 'https://gateway.example.com';
const idTokenType = 'urn:ietf:params:oauth:token-type:id_token';

/** The header of each kind of signed JWT, as far as it says which kind it is. */
const kinds = {
  'dpop+jwt': { typ: 'dpop+jwt' },
  'cnf-proof+jwt': { typ: 'cnf-proof+jwt' },
  'subject-token-proof+jwt': { typ: 'subject-token-proof+jwt' },
  'client assertion': {},
  'at+jwt': { typ: 'at+jwt' },
  'forwarded-request+jwt': { typ: 'forwarded-request+jwt' },
  'ID token': { typ: 'JWT' },
  'id-jag': { typ: 'oauth-id-jag+jwt' },
} as const;
type Kind = keyof typeof kinds;
const names = Object.keys(kinds) as Kind[];

describe('RFC 8725 §3.11: one kind of JWT never counts as another', () => {
  let made: Federation;
  let delegated: Delegation;
  let upstream: string;
  beforeAll(async () => {
    made = await federation({ env: { GATEWAY_PORT: '0', GATEWAY_TOKEN: gatewayToken } });
    delegated = await delegation(made.pair);
    const members = { audience: origin, scopes: ['read'], origins: [origin] };
    const { body } = await made.pair.server.admin('POST', 'resource-servers', members);
    upstream = `urn:holdfast:upstream:${body.id}`;
  });
  afterAll(async () => made.pair.server.stop());

  const times = { iat: seconds, exp: seconds + 60 };
  /** A token that the gateway lets in, and what it then tells the upstream. */
  const forwardedRequest = async (): Promise<string> => {
    const { server, appKey } = made.pair;
    const token = (await made.pair.ask({ form: { resource: origin, req_alt_cnf: undefined } })).body
      .access_token as string;
    const htu = `${origin}/things`;
    const query = new URLSearchParams({ audience: origin, assertion: 'true' });
    const { headers } = await fetch(`${server.gatewayUrl}/auth-request?${query}`, {
      headers: {
        'holdfast-gateway-token': gatewayToken,
        'x-original-method': 'GET',
        'x-original-url': htu,
        authorization: `DPoP ${token}`,
        dpop: await appKey.proof({ htm: 'GET', htu, ath: ath(token) }),
      },
    });
    return headers.get('holdfast-assertion') ?? '';
  };

  /**
   * For each kind a JWT that is right in its place. A header that is given takes the place of that
   * which says the kind; undefined: only the server can sign this kind.
   */
  const right: Record<Kind, (header?: object) => Promise<string> | undefined> = {
    'dpop+jwt': (header) => made.pair.appKey.proof({}, header),
    'cnf-proof+jwt': (header) => made.pair.cnfProof({}, header),
    'subject-token-proof+jwt': (header = {}) => delegated.proof({ header }),
    'client assertion': (header) => made.pair.backendKey.assertion('backend', {}, header),
    'at+jwt': (header) =>
      header === undefined ? Promise.resolve(delegated.subjectToken) : undefined,
    'forwarded-request+jwt': (header) => (header === undefined ? forwardedRequest() : undefined),
    'ID token': (header) => made.idToken({}, header),
    'id-jag': (header) => made.idJag({}, header),
  };

  const form = (members: Record<string, string>) => async (): Promise<Answer> => {
    const { server, appKey } = made.pair;
    const headers = { authorization: basic('app', pairSecret), dpop: await appKey.proof() };
    return server.post('/token', { resource: unaware, ...members }, headers);
  };
  const is200 = async (answer: Promise<Answer>) => (await answer).status === 200;
  const asBackend = async (client_assertion: string) => {
    const { server, backendKey } = made.pair;
    const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
    return server.post(
      '/token',
      {
        grant_type: 'client_credentials',
        resource: unaware,
        client_assertion_type,
        client_assertion,
      },
      { dpop: await backendKey.proof() },
    );
  };
  const byApp = async (token: string) =>
    made.pair.server.post('/token', exchangeForm(token), {
      authorization: basic('app', pairSecret),
      dpop: await made.pair.appKey.proof({ ath: ath(token) }),
    });
  const asActor = async (actor_token: string) =>
    delegated.ask({ form: { actor_token }, dpop: { ath: ath(actor_token) } });
  const byUpstream = async (jwt: string) => {
    const { body } = await made.pair.server.get('/gateway/jwks');
    const typ = 'forwarded-request+jwt';
    const options = { typ, issuer: `${issuer}/gateway`, audience: upstream };
    const currentDate = new Date(seconds * 1000);
    return jwtVerify(jwt, createLocalJWKSet(body as JSONWebKeySet), {
      ...options,
      currentDate,
    }).then(
      () => true,
      () => false,
    );
  };

  /** Every place where a JWT is shown, the kind that belongs there, and whether it counts. */
  const places: readonly [string, Kind, (jwt: string) => Promise<boolean>][] = [
    [
      'the DPoP header field',
      'dpop+jwt',
      async (dpop) => is200(made.pair.ask({ dpop, form: { req_alt_cnf: undefined } })),
    ],
    [
      'req_alt_cnf',
      'cnf-proof+jwt',
      async (proof) => is200(made.pair.ask({ reqAltCnf: [{ proof }] })),
    ],
    [
      'subject_token_proof',
      'subject-token-proof+jwt',
      async (subject_token_proof) => is200(delegated.ask({ form: { subject_token_proof } })),
    ],
    ['client_assertion', 'client assertion', async (jwt) => is200(asBackend(jwt))],
    ['subject_token', 'at+jwt', async (jwt) => is200(byApp(jwt))],
    [
      'introspection',
      'at+jwt',
      async (jwt) => (await made.pair.introspect(jwt, 'unaware-rs')).body.active as boolean,
    ],
    [
      'subject_token of type ID token',
      'ID token',
      async (subject_token) =>
        is200(form({ ...exchangeForm(subject_token), subject_token_type: idTokenType })()),
    ],
    ['assertion', 'id-jag', async (jwt) => is200(made.grant(jwt))],
    ['the upstream of a gateway', 'forwarded-request+jwt', byUpstream],
  ];
  const pairs = places.flatMap(([place, own, counts]) =>
    names.map((kind) => ({ place, own, counts, kind })),
  );

  it.each(pairs)(
    'in $place, where a(n) $own belongs: a(n) $kind',
    async ({ own, counts, kind }) => {
      expect(await counts((await right[kind]()) ?? '')).toBe(kind === own);
    },
  );
  const ours: readonly Kind[] = ['at+jwt', 'forwarded-request+jwt'];
  it.each(pairs.filter(({ kind, own }) => kind !== own && !ours.includes(own)))(
    'in $place, where a(n) $own belongs: one that is right but for the type of a(n) $kind',
    async ({ own, counts, kind }) => {
      // Neither an assertion nor an ID token has a type; they differ in who signs.
      const untyped: readonly Kind[] = ['client assertion', 'ID token'];
      const { typ }: { typ?: string } = kinds[kind];
      const jwt = (await right[own]({ ...kinds[own], typ })) ?? '';
      expect(await counts(jwt)).toBe(untyped.includes(own) && untyped.includes(kind));
    },
  );
  it('an actor token is an access token, and nothing else', async () => {
    for (const kind of names.filter((name) => name !== 'at+jwt'))
      expect(await is200(asActor((await right[kind]()) ?? ''))).toBe(false);
    expect(await is200(asActor(delegated.actorToken))).toBe(true);
  });
  it('a JWT with the claims of all kinds counts in the place of its type only', async () => {
    const { appKey, backendKey } = made.pair;
    const all = {
      ...decodeJwt((await right['id-jag']()) ?? ''),
      ...decodeJwt((await right['cnf-proof+jwt']()) ?? ''),
      ...decodeJwt((await right['subject-token-proof+jwt']()) ?? ''),
      ...decodeJwt((await right['dpop+jwt']()) ?? ''),
      ...times,
      sub: 'backend',
      iss: 'backend',
    };
    for (const [key, kid] of [
      [appKey, 'idp-1'],
      [backendKey, 'be-1'],
    ] as const)
      for (const [place, own, counts] of places) {
        const other = names.filter((kind) => kind !== own);
        for (const kind of other) {
          // With a type that is read as none, it is an assertion by the key of the backend.
          if (own === 'client assertion' && kind === 'ID token') continue;
          const header = { ...kinds[kind], kid, jwk: key.jwk };
          const jwt = await key.sign({ ...all, jti: randomJti() }, header);
          expect([place, kind, await counts(jwt)]).toEqual([place, kind, false]);
        }
      }
  });
});
