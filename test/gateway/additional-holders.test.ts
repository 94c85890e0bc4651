import { afterAll, beforeAll, expect, it } from 'vitest';
import { randomJti, type TestKey } from '../support/keys.ts';
import { ath, aware, openPair, type Pair } from '../support/pair.ts';
import { rawRequest } from '../support/raw-request.ts';

let pair: Pair;
beforeAll(async () => {
  pair = await openPair({ env: { GATEWAY_PORT: '0' } });
  const { items } = (await pair.server.admin('GET', 'resource-servers')).body;
  const { id } = (items as { id: string; audience: string }[]).find(
    ({ audience }) => audience === aware,
  ) ?? { id: '' };
  await pair.server.admin('PATCH', `resource-servers/${id}`, { origins: [aware] });
});
afterAll(async () => pair.server.stop());

const ask = async (token: string, key: TestKey) => {
  const url = `${aware}/events`;
  const dpop = await key.proof({
    htm: 'GET',
    htu: url,
    ath: ath(token),
    iat: Math.floor(pair.server.clock.now / 1000),
    jti: randomJti(),
  });
  const { status, headers } = await rawRequest(
    `${pair.server.gatewayUrl}/auth-request?audience=${encodeURIComponent(aware)}`,
    'GET',
    [
      ['Authorization', `DPoP ${token}`],
      ['DPoP', dpop],
      ['X-Original-Method', 'GET'],
      ['X-Original-URL', url],
    ],
  );
  return [
    status,
    headers['holdfast-client-id'],
    headers['holdfast-presenter'],
    headers['holdfast-key'],
  ];
};

it('whoever of the holders of a token presents it is named, and no longer when the pairing is revoked', async () => {
  const { body } = await pair.ask();
  const token = body.access_token as string;
  expect(await ask(token, pair.appKey)).toEqual([200, 'app', 'app', pair.appKey.jkt]);
  expect(await ask(token, pair.backendKey)).toEqual([200, 'app', 'backend', pair.backendKey.jkt]);
  expect((await ask(token, pair.thiefKey))[0]).toBe(401);
  expect((await pair.server.admin('POST', `pairings/${pair.pairing}/revoke`)).status).toBe(200);
  expect((await ask(token, pair.backendKey))[0]).toBe(401);
  expect((await ask(token, pair.appKey))[0]).toBe(200);
});
