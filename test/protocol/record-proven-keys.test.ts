import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testKey } from '../support/keys.ts';
import { execute } from '../support/sql.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';
import {
  assertionForm,
  audience,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

describe.each(storeKinds.filter(({ name }) => !name.includes('Redis')))(
  'keys proven in a token request are recorded after the issuance, on $name',
  (kind) => {
    let store: TestStore;
    let fixture: TokenEndpointFixture;
    beforeAll(async () => {
      store = await kind.make();
      fixture = await tokenEndpointFixture({ store });
    });
    afterAll(async () => {
      await fixture.server.stop();
      await store.remove();
    });
    const failures = () =>
      fixture.server.logs.filter(({ msg }) =>
        String(msg).includes('proven keys were not recorded'),
      );
    const recorded = async () =>
      (await execute(store, `select identifier from credential_use where kind = 'key'`)).flat();

    it('a token whose proven keys cannot be recorded is issued all the same, and the log names the client', async () => {
      const key = await testKey();
      await fixture.server.admin('POST', 'clients', {
        client_id: 'backend',
        token_endpoint_auth_method: 'private_key_jwt',
        scope: 'read',
        jwks: { keys: [{ ...key.jwk, kid: 'be-1' }] },
        alt_cnf_requesters: ['app'],
        alt_cnf_registered_key: true,
      });
      const ask = async () =>
        fixture.server.post(
          '/token',
          assertionForm(await key.assertion('backend'), { resource: audience }),
          { dpop: await key.proof() },
        );
      await execute(store, 'alter table credential_use rename to credential_use_away');
      const answer = await ask();
      expect(answer.status).toBe(200);
      expect(decodeJwt(answer.body.access_token)['cnf']).toEqual({ jkt: key.jkt });
      expect(failures()).toEqual([expect.objectContaining({ level: 50, client_id: 'backend' })]);
      await execute(store, 'alter table credential_use_away rename to credential_use');
      expect(await recorded()).toEqual([]);
      // The failure is not remembered as a record.
      expect((await ask()).status).toBe(200);
      expect(await recorded()).toEqual([key.jkt]);
      expect(failures()).toHaveLength(1);
    });
  },
);
