import { type TestServer, type TestServerOptions, testServer } from './server.ts';
import type { TestStore, TestStoreKind } from './stores.ts';
import { type TokenEndpointFixture, tokenEndpointFixture } from './token-endpoint-fixture.ts';

/** A fixture, and a second replica of its server, on a store of their own. */
export interface Replicas {
  readonly store: TestStore;
  readonly fixture: TokenEndpointFixture;
  readonly replica: TestServer;
  close(): Promise<void>;
}

/** Opens both with the same settings. */
export async function openReplicas(
  kind: TestStoreKind,
  options: Omit<TestServerOptions, 'store'> = {},
): Promise<Replicas> {
  const store = await kind.make();
  const fixture = await tokenEndpointFixture({ ...options, store });
  const replica = await testServer({ ...options, store });
  return {
    store,
    fixture,
    replica,
    async close() {
      await replica.stop();
      await fixture.server.stop();
      await store.remove();
    },
  };
}
