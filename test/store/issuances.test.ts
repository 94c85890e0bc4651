import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import type { AuditEvent } from '../../src/domain/audit-event.ts';
import { timeOrderedId } from '../../src/domain/time-ordered-id.ts';
import { noPeers } from '../../src/ports/peers.ts';
import { openStores } from '../../src/store/stores.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const now = 1_790_000_000;
const use = (key = randomBytes(32).toString('base64url')) => ({
  key,
  expiresAt: now + 90,
  acceptableFrom: now - 30,
});
const event = (): AuditEvent & { id: string } => ({
  id: timeOrderedId(now * 1000),
  type: 'token_issued',
  actor: 'client:app',
  client_id: 'app',
});

describe.each(storeKinds)('RFC 9449 §11.1: the write of an issuance on $name', (kind) => {
  let store: TestStore;
  let stores: Awaited<ReturnType<typeof openStores>>;
  beforeAll(async () => {
    store = await kind.make();
    stores = await openStores(readConfig(store.env), {
      logger: pino({ level: 'silent' }),
      clock: () => now * 1000,
      peers: noPeers,
    });
    const served = async () =>
      stores.issuances.commit([use()], event()).then(
        () => true,
        () => false,
      );
    while (!(await served())) await sleep(10);
  });
  afterAll(async () => {
    await stores.close();
    await store.remove();
  });
  const recorded = async () =>
    new Set((await stores.audit.list({ limit: 1000 })).map(({ id }) => id));

  it('of 50 concurrent commits of one use one counts, and that one is on record', async () => {
    const same = use();
    const events = Array.from({ length: 50 }, event);
    const first = await Promise.all(events.map(async (of) => stores.issuances.commit([same], of)));
    const winners = events.filter((_, index) => first[index]?.[0] === true);
    const all = await recorded();
    expect(winners).toHaveLength(1);
    expect(events.filter(({ id }) => all.has(id))).toEqual(winners);
  });

  it.each([
    ['in an earlier commit', true],
    ['in the same batch', false],
  ])(
    'a use that was marked %s leaves no record, and marks the uses beside it',
    async (_, earlier) => {
      const [used, beside] = [use(), use()];
      const [winner, loser, third] = [event(), event(), event()];
      const winning = stores.issuances.commit([used], winner);
      if (earlier) await winning;
      const losing = stores.issuances.commit([beside, used], loser);
      expect(await winning).toEqual([true]);
      expect(await losing).toEqual([true, false]);
      expect(await stores.issuances.commit([beside], third)).toEqual([false]);
      const all = await recorded();
      expect([winner, loser, third].map(({ id }) => all.has(id))).toEqual([true, false, false]);
    },
  );

  it('without anything that counts once there is a record', async () => {
    const of = event();
    expect(await stores.issuances.commit([], of)).toEqual([]);
    expect((await recorded()).has(of.id)).toBe(true);
  });

  it('a commit that fails uses nothing up', async () => {
    if (kind.name.includes('Redis')) return;
    const [taken, mine] = [event(), use()];
    await stores.issuances.commit([use()], taken);
    // Its record cannot be written: the identifier is taken.
    await expect(stores.issuances.commit([mine], taken)).rejects.toThrow('database is unavailable');
    expect(await stores.issuances.commit([mine], event())).toEqual([true]);
  });
});
