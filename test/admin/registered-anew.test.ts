import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guardedClients } from '../../src/admin/guarded-clients.ts';
import { readConfig } from '../../src/config/config.ts';
import { type ActingAdmin, actingAs } from '../../src/domain/acting-admin.ts';
import { type AdminScope, adminAudience } from '../../src/domain/admin-access.ts';
import type { ClientRegistration } from '../../src/domain/client-registration.ts';
import { noPeers } from '../../src/ports/peers.ts';
import { openStores } from '../../src/store/stores.ts';
import { storeKinds, type TestStore } from '../support/stores.ts';

const now = 1_790_000_000_000;
const client: ClientRegistration = {
  client_id: 'app',
  registration_id: '',
  listed: new Map(),
  clientSecrets: [],
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: ['client_credentials'],
  dpop_bound_access_tokens: false,
  dpop_nonce_required: false,
  client_assertion_bound_access_tokens: false,
  disabled: false,
};
const admin: ClientRegistration = {
  ...client,
  resources: [adminAudience],
  admin_scopes: ['clients:read'],
};
const change = (type: 'client_created' | 'client_deleted') => ({
  at: now,
  event: { type, actor: 'admin', client_id: 'app' } as const,
});

describe.each(storeKinds)('a client that is deleted and registered anew on $name', (kind) => {
  let store: TestStore;
  let stores: Awaited<ReturnType<typeof openStores>>;
  beforeAll(async () => {
    store = await kind.make();
    stores = await openStores(readConfig(store.env), {
      logger: pino({ level: 'silent' }),
      clock: () => now,
      peers: noPeers,
    });
  });
  afterAll(async () => {
    await stores.close();
    await store.remove();
  });

  const as = async <T>(scopes: readonly AdminScope[], work: () => Promise<T>): Promise<T> =>
    new Promise<T>((done, failed) => {
      const who: ActingAdmin = { name: 'writer', scopes };
      actingAs(who, () => void work().then(done, failed));
    });
  const anew = async (value: ClientRegistration) => {
    await stores.clients.remove('app', change('client_deleted'));
    expect(await stores.clients.create(value, change('client_created'))).toMatchObject({
      version: 1,
    });
  };

  it('is not removed in place of the one that was looked at, though its version is the same', async () => {
    await anew(client);
    const found = await stores.clients.get('app');
    await anew(admin);
    expect(await stores.clients.remove('app', change('client_deleted'), found)).toBe(
      'version_mismatch',
    );
    expect((await stores.clients.get('app'))?.value.admin_scopes).toEqual(['clients:read']);
  });

  it('as an admin, between look and removal, is not removed by who may not remove admins', async () => {
    await anew(client);
    let looks = 0;
    const guarded = guardedClients({
      ...stores.clients,
      async get(id: string) {
        const found = await stores.clients.get(id);
        looks += 1;
        if (looks === 1) await anew(admin);
        return found;
      },
    });
    const removal = as(['clients:write'], async () =>
      guarded.remove('app', change('client_deleted')),
    );
    await expect(removal).rejects.toThrow('admin:grant');
    expect((await stores.clients.get('app'))?.value.admin_scopes).toEqual(['clients:read']);
  });
});
