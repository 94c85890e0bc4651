import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import { PrismaPg } from '@prisma/adapter-pg';
import { describe, expect, it } from 'vitest';
import { assertionForm, clientSecret, openDesk, seconds } from '../support/desk.ts';
import { testKey } from '../support/keys.ts';
import { basic, startOfTime } from '../support/server.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

/** How many rows each table that grows with use has. */
async function rows({ env }: TestStore): Promise<Record<string, number>> {
  const url = env['DATABASE_URL'] ?? '';
  const connection = await (url.startsWith('file:') ? new PrismaLibSql({ url }) : new PrismaPg({ connectionString: url })).connect();
  const counts: Record<string, number> = {};
  for (const table of ['replay_record', 'revoked_token', 'audit_event']) {
    const { rows: found } = await connection.queryRaw({ sql: `select count(*) from ${table}`, args: [], argTypes: [] });
    counts[table] = Number(found[0]?.[0]);
  }
  await connection.dispose();
  return counts;
}

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))('housekeeping on $name', (kind) => {
  it('empties every table of what means nothing any more, and counts refusals of strangers in one record', async () => {
    const store = await kind.make();
    const clock = { now: startOfTime };
    const desk = await openDesk({ store, clock, env: { HOUSEKEEPING_INTERVAL: '1', AUDIT_RETENTION: '604800' } });
    const outcomes = await Promise.all(Array.from({ length: 30 }, async () => desk.send()));
    const tokens = outcomes.map(({ body }) => (JSON.parse(body) as { access_token: string }).access_token);
    for (const token of tokens.slice(0, 5)) await desk.server.post('/revoke', { token }, { authorization: basic('app', clientSecret) });
    for (let index = 0; index < 20; index++) await desk.send({ authorization: basic('stranger', clientSecret) });
    await desk.send({ form: { grant_type: 'client_credentials', scope: 'admin' } });
    const settled = async (done: (counts: Record<string, number>) => boolean) => {
      for (let tries = 0; tries < 80 && !done(await rows(store)); tries++) await sleep(50);
      return rows(store);
    };
    const sampled = async () =>
      (await desk.server.admin('GET', 'audit-events?type=refusals_sampled')).body.items as { detail: { client_unknown: number } }[];
    // A round may fall between two of them.
    const counted = async () => (await sampled()).reduce((sum, { detail }) => sum + detail.client_unknown, 0);
    for (let tries = 0; tries < 80 && (await counted()) < 20; tries++) await sleep(50);
    expect([await counted(), (await sampled()).every(({ detail }) => Object.keys(detail).join() === 'client_unknown')]).toEqual([20, true]);
    expect((await desk.server.admin('GET', 'audit-events?type=token_refused')).body.items).toMatchObject([
      { client_id: 'app', reason: 'scope_not_allowed' },
    ]);
    const before = await rows(store);
    expect([before['replay_record'], before['revoked_token']]).toEqual([30, 5]);

    clock.now += 3_600_000;
    const expired = await settled((counts) => counts['replay_record'] === 0 && counts['revoked_token'] === 0);
    expect([expired['replay_record'], expired['revoked_token'], expired['audit_event']]).toEqual([0, 0, before['audit_event']]);
    clock.now += 8 * 86_400_000;
    expect((await settled((counts) => counts['audit_event'] === 0))['audit_event']).toBe(0);
    await desk.server.stop();
    await store.remove();
  });

  it('RFC 9449 §11.1: a proof or an assertion that is refused leaves nothing behind', async () => {
    const store = await kind.make();
    const desk = await openDesk({ store });
    const other = await testKey();
    const outcomes = new Set<string>();
    for (let index = 0; index < 10; index++) {
      const assertion = async (claims: object, key = desk.key) => assertionForm(await key.assertion('signer', claims));
      for (const asked of [
        { dpop: await desk.key.proof({}, { jwk: other.jwk }) },
        { dpop: await desk.key.proof({ htm: 'GET' }) },
        { dpop: await desk.key.proof({ iat: seconds - 600 }) },
        { authorization: basic('app', 'w'.repeat(32)) },
        { form: { grant_type: 'client_credentials', scope: 'admin' } },
        { authorization: null, form: await assertion({}, other) },
        { authorization: null, form: await assertion({ aud: 'https://other.example' }) },
      ])
        outcomes.add(await desk.outcome(asked));
    }
    expect(outcomes).toEqual(new Set(['400 invalid_dpop_proof', '401 invalid_client', '400 invalid_scope']));
    expect((await rows(store))['replay_record']).toBe(0);
    expect(await desk.outcome()).toMatch(/^200 /);
    expect((await rows(store))['replay_record']).toBe(1);
    await desk.server.stop();
    await store.remove();
  });
});
