import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Ports of loopback below those that the system gives to connections and to servers that ask for
 * any port. Each process of the test run has its own, or two could find the same one free.
 */
const [first, each] = [20_000, 2000];
const begin = first + (Number(process.env['VITEST_POOL_ID'] ?? 0) % 6) * each;
let next = randomInt(each);

/**
 * A TCP port of loopback that was free a moment ago, for servers whose issuer must name it before
 * they listen. It is not given again before all others of this process were.
 */
export async function freePort(): Promise<number> {
  const port = begin + next;
  next = (next + 1) % each;
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return freePort();
  }
  server.close();
  await once(server, 'close');
  return port;
}
