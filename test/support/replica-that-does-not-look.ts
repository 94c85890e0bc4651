import { vi } from 'vitest';
import type { TestServer } from './server.ts';

/** A replica whose every-second readings do not happen: what it knows is what it last asked for. */
export async function replicaThatDoesNotLook(
  start: () => Promise<TestServer>,
): Promise<TestServer> {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const server = await start();
  vi.useRealTimers();
  return server;
}
