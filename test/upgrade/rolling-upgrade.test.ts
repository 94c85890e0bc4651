import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freeAddress } from '../support/process.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';
import { previousRelease, previousReleaseIsHere } from './previous-release.ts';
import { deployment, freshProof, type Replica, register, startReplica } from './replica.ts';
import { startTraffic } from './traffic.ts';

// The server of the previous release is its own code, in a process of its own.

let program: readonly [string, string];
beforeAll(async () => {
  if (previousReleaseIsHere) program = await previousRelease();
});

// Copies of registrations live a second; the machine may be busy.
const patient = { timeout: 30_000 };
const kinds = storeKinds.filter(({ name }) => name !== 'SQLite and Redis');

/** What counts at one replica counts at the other. */
async function checkBothWays(from: Replica, to: Replica, proof: () => Promise<string>) {
  const id = `made-at-the-${from.name}`;
  const body = { client_id: id, client_secret: 's'.repeat(32) };
  expect((await from.admin('POST', 'clients', body)).status).toBe(201);
  await expect.poll(async () => (await to.ask(id)).status, patient).toBe(200);
  expect((await to.admin('PATCH', `clients/${id}`, { disabled: true })).status).toBe(200);
  await expect.poll(async () => (await from.ask(id)).status, patient).toBe(401);

  const used = await proof();
  expect((await from.ask('app', used)).status).toBe(200);
  expect((await to.ask('app', used)).body['error']).toBe('invalid_dpop_proof');
  const raced = await proof();
  const uses = Array.from({ length: 20 }, async (_, use) =>
    (use % 2 === 0 ? from : to).ask('app', raced),
  );
  const statuses = (await Promise.all(uses)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  expect(statuses.filter((status) => status === 400)).toHaveLength(19);

  const token = String((await from.ask()).body['access_token']);
  expect((await to.verify(token)).active).toBe(true);
  expect(await from.revoke(token)).toBe(200);
  expect((await to.verify(token)).active).toBe(false);
}

describe.skipIf(!previousReleaseIsHere).each(kinds)(
  'an upgrade from the previous release, on $name',
  { timeout: 90_000 },
  (kind) => {
    let store: TestStore;
    const running: Replica[] = [];
    beforeEach(async () => {
      store = await kind.make('empty');
    });
    afterEach(async () => {
      for (const { process } of running) await process.end('SIGKILL');
      await store.remove();
    });

    it('issues and verifies throughout: both releases serve side by side, and neither lets a proof, a revocation or a registration count at itself alone', async () => {
      const [here, there] = [await freeAddress(), await freeAddress()];
      const shared = await deployment(store.env, here.port);
      const proof = async () => freshProof(shared);
      const previous = await startReplica('previous', shared, here, { program });
      running.push(previous);
      await register(previous);
      const traffic = startTraffic(previous, shared.key.jkt);
      try {
        await traffic.verifiedMore(10);
        const issuedBefore = String((await previous.ask()).body['access_token']);

        // The new release migrates the database under the feet of the previous one.
        const current = await startReplica('new', shared, there);
        running.push(current);
        traffic.serving = [previous, current];
        await traffic.verifiedMore(5);
        await checkBothWays(previous, current, proof);
        await checkBothWays(current, previous, proof);

        const rotated = { alg: 'ES256', immediately: true };
        expect((await current.admin('POST', 'signing-keys/rotate', rotated)).status).toBe(200);
        await traffic.verifiedMore(10);

        const usedBefore = await proof();
        const issuedLast = String((await previous.ask('app', usedBefore)).body['access_token']);
        traffic.serving = [current];
        await traffic.left();
        expect(await previous.process.end('SIGTERM')).toBe(0);
        await traffic.verifiedMore(10);
        for (const token of [issuedBefore, issuedLast])
          expect(await current.verify(token)).toMatchObject({ active: true, signature: true });
        expect((await current.ask('app', usedBefore)).body['error']).toBe('invalid_dpop_proof');
      } finally {
        await traffic.stop();
      }
      expect(traffic.failures).toEqual([]);
      expect([...traffic.verified.keys()].sort()).toEqual([
        'new → new',
        'new → previous',
        'previous → new',
        'previous → previous',
      ]);
      await expect(startReplica('previous', shared, here, { program })).rejects.toThrow(
        /has a migration that this version of Holdfast does not know/,
      );
    });
  },
);
