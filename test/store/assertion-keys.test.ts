import { randomBytes } from 'node:crypto';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import type { AuditEvent } from '../../src/domain/audit-event.ts';
import { noPeers } from '../../src/ports/peers.ts';
import { openStores } from '../../src/store/stores.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const clock = { now: 1_790_000_000_000 };
const seconds = () => clock.now / 1000;
const token = () => randomBytes(32).toString('base64url');
const event: AuditEvent = { type: 'assertion_second_key', actor: 'client:app', client_id: 'app' };
const held = (jkt: string | undefined, pinned = false) => expect.objectContaining({ jkt, pinned });
type Stores = Awaited<ReturnType<typeof openStores>>;

describe.each(storeKinds)('the key of a platform’s token, on $name', (kind) => {
  let store: TestStore;
  let [first, second]: [Stores, Stores] = [] as never;
  const open = async () =>
    openStores(readConfig(store.env), {
      logger: pino({ level: 'silent' }),
      clock: () => clock.now,
      databaseClock: () => clock.now,
      peers: noPeers,
    });
  beforeAll(async () => {
    store = await kind.make();
    [first, second] = [await open(), await open()];
  });
  afterAll(async () => {
    await Promise.all([first.close(), second.close()]);
    await store.remove();
  });

  it('of 50 concurrent claims by different keys on two replicas one counts, and all hear of it', async () => {
    const of = token();
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, index) =>
        (index % 2 === 0 ? first : second).assertionKeys.claim(
          of,
          `key-${index}`,
          seconds() + 60,
          false,
        ),
      ),
    );
    expect(new Set(answers.map(({ jkt }) => jkt)).size).toBe(1);
    expect(await second.assertionKeys.claim(of, 'late', seconds() + 60, false)).toEqual(
      held(answers[0]?.jkt),
    );
  });
  it('tokens are apart', async () => {
    expect(await first.assertionKeys.claim(token(), 'a', seconds() + 60, false)).toEqual(held('a'));
    expect(await first.assertionKeys.claim(token(), 'b', seconds() + 60, false)).toEqual(held('b'));
  });
  it('of concurrent changes from one key one counts, with its record', async () => {
    const of = token();
    await first.assertionKeys.claim(of, 'a', seconds() + 60, false);
    const recorded = async () =>
      (await first.audit.list({ limit: 1000, type: 'assertion_second_key' })).length;
    const before = await recorded();
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) =>
        (index % 2 === 0 ? first : second).assertionKeys.change(of, 'a', 'b', event),
      ),
    );
    expect([
      await recorded(),
      await second.assertionKeys.claim(of, 'c', seconds() + 60, false),
    ]).toEqual([before + 1, held('b')]);
  });
  it.each<[string, readonly boolean[]]>([
    ['at once', [true]],
    ['by a later claim of the same key', [false, true, false]],
  ])('a claim that is pinned %s stays, whoever asks', async (_, pins) => {
    const of = token();
    for (const pin of pins) await first.assertionKeys.claim(of, 'a', seconds() + 60, pin);
    for (const pin of [true, false])
      expect(await second.assertionKeys.claim(of, 'b', seconds() + 60, pin)).toEqual(
        held('a', true),
      );
    expect(await second.assertionKeys.change(of, 'a', 'b', event)).toBe(false);
    expect(await first.assertionKeys.claim(of, 'a', seconds() + 60, false)).toEqual(
      held('a', true),
    );
  });
  it('of a pin and a change of the same key at once one counts', async () => {
    for (let round = 0; round < 10; round++) {
      const of = token();
      await first.assertionKeys.claim(of, 'a', seconds() + 60, false);
      const [pinned, changed] = await Promise.all([
        first.assertionKeys.claim(of, 'a', seconds() + 60, true),
        second.assertionKeys.change(of, 'a', 'b', event),
      ]);
      expect([pinned.jkt, pinned.pinned]).toEqual(changed ? ['b', false] : ['a', true]);
    }
  });
  it('is kept until the token has expired, by the database’s clock, and no longer', async () => {
    const of = token();
    await first.assertionKeys.claim(of, 'a', seconds() + 60, false);
    const clean = async () => {
      const job = first.expired.find(({ name }) => name === 'assertion_key');
      while (await job?.remove());
    };
    clock.now += 61_000;
    await clean();
    expect(await first.assertionKeys.claim(of, 'b', seconds() + 60, false)).toEqual(held('a'));
    clock.now += 400_000;
    await clean();
    expect(await first.assertionKeys.claim(of, 'b', seconds() + 60, false)).toEqual(held('b'));
  });
});
