import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPair, type Pair, pairSecret } from '../support/pair.ts';
import { execute } from '../support/sql.ts';
import { stateAt } from '../support/status-list.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const listed = 'https://listed.example.com';

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'a record of an issuance that this server would not write, on $name',
  (kind) => {
    let store: TestStore;
    let pair: Pair;
    beforeAll(async () => {
      store = await kind.make();
      pair = await openPair({ store });
      await pair.server.admin('POST', 'resource-servers', {
        audience: listed,
        client_id: 'listed-rs',
        client_secret: pairSecret,
        scopes: ['read', 'write'],
        alt_cnf_supported: true,
        status_list_enabled: true,
      });
    });
    afterAll(async () => {
      await pair.server.stop();
      await store.remove();
    });
    const issued = async () => (await pair.ask({ form: { resource: listed } })).body.access_token;
    const introspected = async (token: string) => {
      const { status, body } = await pair.introspect(token, 'listed-rs');
      return status === 200 ? body.active : status;
    };

    // Each has the words by which statements find the rows that concern them.
    const words = () => `"pairings":["x"],"holders":[{"jkt":"${pair.backendKey.jkt}"`;
    it.each([
      ['is not JSON', () => `{${words()}`],
      ['has a lone surrogate', () => `{${words()}}],"note":"\\ud800"}`],
      ['has members of other types', () => '{"pairings":{"x":1},"holders":3,"status":{"idx":"x"}}'],
      ['has entries of other types', () => '{"pairings":[1],"holders":["{"],"status":[]}'],
      [
        'has a holder without a name',
        () => `{"pairings":[{}],"holders":[{"jkt":"${pair.backendKey.jkt}"}],"status":"x"}`,
      ],
      ['is a list', () => `["pairings","${pair.backendKey.jkt}"]`],
      ['is null', () => 'null'],
    ])('whose detail %s concerns that token alone', async (_, detail) => {
      const [sound, damaged] = [await issued(), await issued()];
      const { jti } = decodeJwt(damaged);
      await execute(store, `update audit_event set detail = '${detail()}' where id = '${jti}'`);
      expect(await Promise.all([sound, damaged].map(introspected))).toEqual([true, 500]);
      pair.server.clock.now += 10_000;
      expect(await stateAt(pair.server, sound)).toBe('valid');
      const { body: paired } = await pair.server.admin('GET', 'pairings?holder=backend');
      const statuses = [
        await pair.server.admin('DELETE', `keys/${pair.backendKey.jkt}/tokens`),
        await pair.server.admin('POST', `pairings/${paired.items[0].id}/revoke`),
        await pair.server.admin('POST', 'pairings', {
          requester: 'app',
          holder: 'backend',
          mode: 'registered_key',
        }),
        await pair.server.admin('PATCH', 'clients/app', { alt_cnf_holders: ['printer'] }),
        await pair.server.admin('PATCH', 'clients/app', {
          alt_cnf_holders: ['backend', 'printer'],
        }),
      ].map(({ status }) => status);
      expect(statuses.filter((status) => status >= 400)).toEqual([]);
    });
  },
);
