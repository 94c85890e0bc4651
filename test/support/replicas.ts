import { type Desk, openDesk } from './desk.ts';
import { type TestServer, type TestServerOptions, testServer } from './server.ts';
import type { TestStore, TestStoreKind } from './stores.ts';

/** A desk, and a second replica of its server, on a store of their own. */
export interface Replicas {
  readonly store: TestStore;
  readonly desk: Desk;
  readonly replica: TestServer;
  close(): Promise<void>;
}

/** Opens both with the same settings. */
export async function openReplicas(
  kind: TestStoreKind,
  options: Omit<TestServerOptions, 'store'> = {},
): Promise<Replicas> {
  const store = await kind.make();
  const desk = await openDesk({ ...options, store });
  const replica = await testServer({ ...options, store });
  return {
    store,
    desk,
    replica,
    async close() {
      await replica.stop();
      await desk.server.stop();
      await store.remove();
    },
  };
}
