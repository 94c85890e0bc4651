import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Federation, federation } from '../support/id-jag.ts';
import { type TestKey, testKey } from '../support/keys.ts';
import { pairSecret, unaware } from '../support/pair.ts';
import { openPlatform, type Platform } from '../support/platform.ts';
import { type Answer, basic, type TestServer } from '../support/server.ts';

let [made, platform, mine, other]: [Federation, Platform, TestKey, TestKey] = [] as never;
beforeAll(async () => {
  [mine, other] = [await testKey(), await testKey()];
  [made, platform] = [await federation(), await openPlatform()];
  const claims = { '/kubernetes.io/namespace': 'orders' };
  await platform.rule({ claims, client_id: 'worker' });
  await platform.rule({
    claims,
    subject: 'ns:{/kubernetes.io/namespace}',
    resources: ['https://rs.example.com'],
  });
});
afterAll(async () => {
  await made.pair.server.stop();
  await platform.server.stop();
});

/** Shows a token of a trusted issuer with this `cnf`, and a proof by `mine`. */
type Show = (cnf: unknown) => Promise<Answer>;
const uses: readonly (readonly [string, () => TestServer, Show])[] = [
  [
    'id_token',
    () => made.pair.server,
    async (cnf) =>
      made.pair.server.post(
        '/token',
        {
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          subject_token: await made.idToken({ cnf }),
          subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
          resource: unaware,
        },
        { authorization: basic('app', pairSecret), dpop: await mine.proof() },
      ),
  ],
  [
    'id_jag',
    () => made.pair.server,
    async (cnf) => made.grant(await made.idJag({ cnf }), {}, { key: mine }),
  ],
  [
    'platform_token',
    () => platform.server,
    async (cnf) => platform.authenticate(await platform.token({ cnf }), { by: mine }),
  ],
  [
    'grant_assertion',
    () => platform.server,
    async (cnf) => platform.grant(await platform.token({ cnf }), { by: mine }),
  ],
];

describe.each(uses)('RFC 7800 §3.1: cnf of an %s represents one key', (use, server, show) => {
  it.each<[string, () => object]>([
    ['jkt', () => ({ jkt: mine.jkt })],
    ['jwk', () => ({ jwk: mine.jwk })],
    ['jkt and an unknown member', () => ({ jkt: mine.jkt, foo: { jkt: other.jkt } })],
    ['jwk and an unknown member', () => ({ jwk: mine.jwk, foo: 1 })],
  ])('%s: taken', async (_, cnf) => expect((await show(cnf())).status).toBe(200));

  it.each<[string, () => unknown]>([
    ['jkt and jwk of another key', () => ({ jkt: mine.jkt, jwk: other.jwk })],
    ['jkt of another key and jwk', () => ({ jkt: other.jkt, jwk: mine.jwk })],
    ['jkt and jwk of the same key', () => ({ jkt: mine.jkt, jwk: mine.jwk })],
    ['jkt that is a number, and jwk', () => ({ jkt: 1, jwk: mine.jwk })],
    ['jkt and null as jwk', () => ({ jkt: mine.jkt, jwk: null })],
    ['jkt and x5t#S256', () => ({ jkt: mine.jkt, 'x5t#S256': other.jkt })],
    ['jkt and kid', () => ({ jkt: mine.jkt, kid: 'x' })],
    ['jkt and jku', () => ({ jkt: mine.jkt, jku: 'https://keys.example.com' })],
    ['jkt, jku and kid', () => ({ jkt: mine.jkt, jku: 'https://keys.example.com', kid: 'x' })],
    ['jkt and jwe', () => ({ jkt: mine.jkt, jwe: 'a.b.c.d.e' })],
    ['jkt and jwks', () => ({ jkt: mine.jkt, jwks: { keys: [other.jwk] } })],
    ['jwk and kid', () => ({ jwk: mine.jwk, kid: 'x' })],
    ['jwk and x5t#S256', () => ({ jwk: mine.jwk, 'x5t#S256': other.jkt })],
    ['jwk and jwks', () => ({ jwk: mine.jwk, jwks: { keys: [] } })],
    ['kid alone', () => ({ kid: 'x' })],
    ['jkt in a list', () => ({ jkt: [mine.jkt] })],
    ['null', () => null],
    ['a list', () => [{ jkt: mine.jkt }]],
    ['text', () => mine.jkt],
  ])('%s: refused', async (_, cnf) => {
    const { status } = await show(cnf());
    const reason = server().logs.findLast((line) => 'reason' in line)?.['reason'];
    expect([status >= 400 && status < 500, reason]).toEqual([true, `${use}_cnf_unknown`]);
  });
});
