import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { auth } from 'express-oauth2-jwt-bearer';
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomJti, type TestKey, testKey } from '../support/keys.ts';
import { ath, aware, openPair, type Pair, setForm, unaware } from '../support/pair.ts';
import { issuer } from '../support/server.ts';

// Released verifiers that know nothing of several keys. They have clocks of their own, so the server runs on the real one.
const realClock = {
  get now() {
    return Date.now();
  },
};
const now = () => Math.floor(Date.now() / 1000);
let pair: Pair;
/** An issuer that writes whatever it likes into its tokens. */
let [careless, carelessJwks, closers]: [TestKey, string, (() => void)[]] = [] as never;
beforeAll(async () => {
  pair = await openPair({ clock: realClock });
  careless = await testKey();
  const keys = JSON.stringify({
    keys: [{ ...careless.jwk, kid: 'careless', alg: 'ES256', use: 'sig' }],
  });
  const server = createServer((_, response) =>
    response.setHeader('content-type', 'application/json').end(keys),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  carelessJwks = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  closers = [() => server.close()];
});
afterAll(async () => {
  for (const close of closers) close();
  await pair.server.stop();
});

/** How a recipient answers: to the app, to its server, to a thief who shows the token as `Bearer`. */
interface Outcome {
  readonly app: boolean;
  readonly backend: boolean;
  readonly thief: boolean;
}
type Present = (
  token: string,
  audience: string,
  jwks: string,
  key: TestKey | undefined,
) => Promise<boolean>;

const headersOf = async (
  token: string,
  htu: string,
  key: TestKey | undefined,
): Promise<Record<string, string>> =>
  key === undefined
    ? { authorization: `Bearer ${token}` }
    : {
        authorization: `DPoP ${token}`,
        dpop: await key.proof({ htm: 'GET', htu, ath: ath(token), iat: now() }),
      };

const toOauth4webapi: Present = async (token, audience, jwks, key) => {
  const request = new Request(`${audience}/events`, {
    headers: await headersOf(token, `${audience}/events`, key),
  });
  const server = { issuer, jwks_uri: jwks };
  return oauth
    .validateJwtAccessToken(server, request, audience, { [oauth.allowInsecureRequests]: true })
    .then(
      () => true,
      () => false,
    );
};

const toExpress =
  (required: boolean): Present =>
  async (token, audience, jwksUri, key) => {
    const app = express();
    app.use(
      auth({
        issuer,
        audience,
        jwksUri,
        tokenSigningAlg: 'ES256',
        dpop: { enabled: true, required },
      }),
    );
    app.get('/events', (_, response) => void response.end('in'));
    app.use(
      (_: unknown, __: express.Request, response: express.Response, ___: express.NextFunction) =>
        void response.status(401).end('out'),
    );
    const server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`;
    try {
      const response = await fetch(url, {
        headers: { ...(await headersOf(token, url, key)), connection: 'close' },
      });
      return response.status === 200 && (await response.text()) === 'in';
    } finally {
      server.close();
    }
  };

const outcome = async (
  present: Present,
  token: string,
  audience: string,
  jwks: string,
): Promise<Outcome> => ({
  app: await present(token, audience, jwks, pair.appKey),
  backend: await present(token, audience, jwks, pair.backendKey),
  thief: await present(token, audience, jwks, undefined),
});
const [appOnly, nobody] = [
  { app: true, backend: false, thief: false },
  { app: false, backend: false, thief: false },
];
const bearer = { ...nobody, thief: true };

describe('tokens with alt_cnf at resource servers that do not know it', () => {
  const issued = async (form: object): Promise<string> => {
    const { status, body } = await pair.ask({ form: { ...form } });
    expect(status).toBe(200);
    return body.access_token as string;
  };
  const verifiers: [string, Present][] = [
    ['oauth4webapi', toOauth4webapi],
    ['express-oauth2-jwt-bearer', toExpress(false)],
    ['express-oauth2-jwt-bearer, DPoP required', toExpress(true)],
  ];
  it.each(verifiers)('%s: one key: its holder only', async (_, present) => {
    const token = await issued({ resource: unaware, req_alt_cnf: undefined });
    expect(await outcome(present, token, unaware, `${pair.server.url}/jwks`)).toEqual(appOnly);
  });
  it.each(verifiers)(
    "%s: two keys: the requester only, never the further holder, never a thief's bearer token",
    async (_, present) => {
      const token = await issued({});
      expect(await outcome(present, token, aware, `${pair.server.url}/jwks`)).toEqual(appOnly);
    },
  );
  it.each(verifiers)('%s: the exchanged token: the additional holder only', async (_, present) => {
    const { body } = await pair.backendExchanges(
      await issued({ resource: unaware, req_alt_cnf: undefined }),
      {},
      pair.backendKey,
    );
    expect(await outcome(present, body.access_token, unaware, `${pair.server.url}/jwks`)).toEqual({
      app: false,
      backend: true,
      thief: false,
    });
  });
  it('the opt-in form jwks: why it is off by default: one of them takes the stolen token as a bearer token', async () => {
    const token = await issued({ resource: setForm });
    const at = async (present: Present) =>
      outcome(present, token, setForm, `${pair.server.url}/jwks`);
    expect(await at(toOauth4webapi)).toEqual(nobody);
    expect(await at(toExpress(false))).toEqual(bearer);
    expect(await at(toExpress(true))).toEqual(nobody);
  });
});

describe('forms of cnf that this server never issues, and what they would do', () => {
  const [a, b] = [() => pair.appKey, () => pair.backendKey];
  it.each<[string, () => object, Outcome, Outcome]>([
    ['cnf:{jkt:A}', () => ({ cnf: { jkt: a().jkt } }), appOnly, appOnly],
    [
      'cnf:{jkt:A} + alt_cnf:[B]',
      () => ({ cnf: { jkt: a().jkt }, alt_cnf: [{ client_id: 'backend', cnf: { jkt: b().jkt } }] }),
      appOnly,
      appOnly,
    ],
    ['cnf:{jwk:A}', () => ({ cnf: { jwk: a().jwk } }), nobody, bearer],
    ['cnf:{jkt:A,jwk:A}', () => ({ cnf: { jkt: a().jkt, jwk: a().jwk } }), nobody, appOnly],
    ['cnf:{jwks:[A,B]}', () => ({ cnf: { jwks: { keys: [a().jwk, b().jwk] } } }), nobody, bearer],
    [
      'cnf:{jkt:A,jwks:[A,B]}',
      () => ({ cnf: { jkt: a().jkt, jwks: { keys: [a().jwk, b().jwk] } } }),
      nobody,
      appOnly,
    ],
    ['cnf:{jkt:[A,B]}', () => ({ cnf: { jkt: [a().jkt, b().jkt] } }), nobody, nobody],
    ['cnf:{jkts:[A,B]}', () => ({ cnf: { jkts: [a().jkt, b().jkt] } }), nobody, bearer],
    ['cnf:{}', () => ({ cnf: {} }), bearer, bearer],
    [
      'alt_cnf only, no cnf',
      () => ({ alt_cnf: [{ client_id: 'backend', cnf: { jkt: b().jkt } }] }),
      bearer,
      bearer,
    ],
  ])('%s', async (_, binding, atOauth4webapi, atExpress) => {
    const claims = {
      iss: issuer,
      sub: 'u',
      aud: aware,
      client_id: 'app',
      jti: randomJti(),
      iat: now(),
      exp: now() + 300,
      ...binding(),
    };
    const token = await careless.sign(claims, { typ: 'at+jwt', kid: 'careless' });
    expect(await outcome(toOauth4webapi, token, aware, carelessJwks)).toEqual(atOauth4webapi);
    expect(await outcome(toExpress(false), token, aware, carelessJwks)).toEqual(atExpress);
    // Recipients that require proof of possession are safe from every form.
    expect((await outcome(toExpress(true), token, aware, carelessJwks)).thief).toBe(false);
  });
});
