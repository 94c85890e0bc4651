import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freeAddress } from '../support/process.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';
import { type NextRelease, nextRelease } from './next-release.ts';
import { deployment, type Replica, register, startReplica } from './replica.ts';

const kinds = storeKinds.filter(({ name }) => !name.includes('Redis'));

describe.each(kinds)('a replica of this release, on $name', { timeout: 90_000 }, (kind) => {
  let store: TestStore;
  let next: NextRelease | undefined;
  let running: Replica[];
  beforeEach(async () => {
    store = await kind.make();
    running = [];
  });
  afterEach(async () => {
    for (const { process } of running) await process.end('SIGTERM');
    next?.remove();
    await store.remove();
  });

  it('starts again beside the next release, whose migration only adds, and alone after it', async () => {
    const [here, there] = [await freeAddress(), await freeAddress()];
    const shared = await deployment(store.env, here.port);
    const first = await startReplica('this', shared, here);
    running.push(first);
    await register(first);
    next = nextRelease(
      '20990101000000_expand_colours',
      'ALTER TABLE "client" ADD COLUMN "colour" TEXT;\n',
    );
    const newer = await startReplica('next', shared, there, { program: next.program });
    running.push(newer);
    await first.process.end('SIGTERM');
    const again = await startReplica('this', shared, here);
    running.push(again);
    const token = String((await newer.ask()).body['access_token']);
    expect(await again.verify(token)).toMatchObject({ active: true, signature: true });
    expect(await newer.process.end('SIGTERM')).toBe(0);
    expect((await again.ask()).status).toBe(200);
    expect(await again.verify(token)).toMatchObject({ active: true, signature: true });
  });

  it('refuses to start after a migration whose name asks for a later release, and says which', async () => {
    const address = await freeAddress();
    const shared = await deployment(store.env, address.port);
    const sql = 'CREATE TABLE "colour" ("id" TEXT);\n';
    next = nextRelease('20990101000000_contract_99_1_0_colours', sql);
    const newer = await startReplica('next', shared, address, { program: next.program });
    await newer.process.end('SIGTERM');
    await expect(startReplica('this', shared, address)).rejects.toThrow(
      /only 99\.1\.0 and newer versions of Holdfast can run with, and this is [\d.]+: start one/,
    );
  });
});
