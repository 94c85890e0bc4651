import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  apiOrigin,
  type GatewayFixture,
  gatewayFixture,
  gatewayForms,
} from '../support/gateway.ts';
import { testKey } from '../support/keys.ts';

let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await gatewayFixture({ env: { CLEANUP_INTERVAL: '1' } }, { gateway_mode: 'report' });
});
afterAll(async () => fixture.server.stop());

describe.each(gatewayForms)('gateway_mode report, by /%s', (form) => {
  it.each([
    ['no token', { token: '', dpop: null }, 'access_token_missing'],
    ['no proof', { dpop: null }, 'token_as_bearer'],
    ['a scope that is missing', { scope: 'write' }, 'scope_missing'],
    ['a foreign origin', { url: 'https://evil.example/' }, 'gateway_origin_unlisted'],
  ])('%s: 200 with the reason, and nothing that names anybody', async (_name, question, reason) => {
    const { status, headers } = await fixture.ask({ form, assertion: true, ...question });
    expect([status, headers['holdfast-would-refuse']]).toEqual([200, reason]);
    expect(Object.keys(headers).filter((name) => name.startsWith('holdfast-'))).toEqual([
      'holdfast-would-refuse',
    ]);
    expect(headers).not.toHaveProperty('www-authenticate');
  });
  it('what passes is answered as always', async () => {
    expect(await fixture.outcome({ form })).toBe('200 app');
  });
  it.each([
    ['no gateway token', { without: ['Holdfast-Gateway-Token'] }],
    ['a missing field', { form: 'forward-auth' as const, without: ['X-Forwarded-Uri'] }],
    ['an unknown audience', { form: 'auth-request' as const, query: 'audience=x' }],
  ])('%s is refused all the same: it is the gateway that is wrong', async (_name, question) => {
    expect(await fixture.outcome({ form, ...question })).toMatch(/^403 gateway_/);
  });
});

it('what would be refused is counted by reason and client, and so are refusals', async () => {
  const token = await fixture.token(await testKey(), 'other');
  await fixture.ask({ token, dpop: null });
  await fixture.ask({ token, dpop: null });
  const reported = async () => {
    const { body } = await fixture.server.admin(
      'GET',
      'audit-events?type=gateway_refusals_reported',
    );
    return (body.items as { detail: { counts: { client_id?: string; count: number }[] } }[])
      .flatMap(({ detail }) => detail.counts)
      .filter(({ client_id }) => client_id === 'other');
  };
  await expect
    .poll(reported, { timeout: 10_000 })
    .toEqual([{ audience: apiOrigin, reason: 'token_as_bearer', client_id: 'other', count: 2 }]);
  expect(fixture.server.logs).toContainEqual(
    expect.objectContaining({
      msg: 'request',
      aud: apiOrigin,
      client_id: 'other',
      would_refuse: 'token_as_bearer',
    }),
  );
});

it('the mode is the registration alone: changed there, it is in force', async () => {
  const path = `resource-servers/${fixture.resourceServerId}`;
  await fixture.server.admin('PATCH', path, { gateway_mode: 'enforce' });
  expect(await fixture.outcome({ dpop: null })).toBe('401 token_as_bearer');
  await fixture.server.admin('PATCH', path, { gateway_mode: null });
  expect(await fixture.outcome({ dpop: null })).toBe('401 token_as_bearer');
});
