import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/store/connection/database.ts';
import { refusalOfNewer } from '../../src/store/migrations/newer-migrations.ts';
import { execute } from '../support/sql.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const cases = [
  ['20990101000000_expand_colours', '0.1.0', undefined],
  ['20990101000000_contract_0_1_0_colours', '0.1.0', undefined],
  ['20990101000000_contract_0_9_0_colours', '0.10.0', undefined],
  ['20990101000000_contract_0_3_0_colours', '0.2.9', /only 0\.3\.0 and newer .* this is 0\.2\.9/],
  ['20990101000000_contract_0_3_0_colours', '0.3.0-rc.1', /only 0\.3\.0 and newer/],
  ['20990101000000_contract_1_0_0_colours', '0.99.0', /only 1\.0\.0 and newer/],
  ['20990101000000_colours', '0.1.0', /does not know \(20990101000000_colours\)/],
  ['20990101000000_contract_colours', '0.1.0', /does not know/],
  ['expand_colours', '0.1.0', /does not know/],
] as const;

describe('a migration that a release does not know', () => {
  it.each(cases)('%s, of %s', (name, release, refusal) => {
    const found = refusalOfNewer(name, release);
    expect(refusal === undefined ? found : refusal.test(found ?? '')).toBe(
      refusal === undefined ? undefined : true,
    );
  });
});

const kinds = storeKinds.filter(({ name }) => !name.includes('Redis'));

describe.each(kinds)('a start on a database of a newer release, on $name', (kind) => {
  let store: TestStore;
  beforeEach(async () => {
    store = await kind.make();
  });
  afterEach(async () => store.remove());
  const open = async () =>
    (await openDatabase(store.env['DATABASE_URL'] ?? '', () => undefined)).$disconnect();
  const record = async (name: string, finished = 'current_timestamp') =>
    execute(
      store,
      `insert into _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count) values ('${randomUUID()}', '', '${name}', current_timestamp, ${finished}, 1)`,
    );

  it('goes on beside migrations that only add', async () => {
    await record('20990101000000_expand_colours');
    await open();
    await record('20990102000000_expand_shapes');
    await expect(open()).resolves.toBeUndefined();
  });

  it.each([
    ['20990101000000_contract_99_0_0_colours', /only 99\.0\.0 and newer .* Nothing was changed/],
    ['20990101000000_colours', /does not know \(20990101000000_colours\): start the newer/],
  ])('is refused beside %s, though it is not the only one', async (name, words) => {
    await record('20990102000000_expand_shapes');
    await record(name);
    await expect(open()).rejects.toThrow(words);
  });

  it('is refused beside one that was begun and not finished', async () => {
    await record('20990101000000_expand_colours', 'null');
    await expect(open()).rejects.toThrow(/was begun and not finished/);
  });

  it('is refused when one of its own is missing', async () => {
    await record('20990101000000_expand_colours');
    await execute(store, "delete from _prisma_migrations where migration_name like '%delegation'");
    await expect(open()).rejects.toThrow(/lacks one of this version/);
  });
});
