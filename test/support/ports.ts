import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * A TCP port of loopback that was free a moment ago, for servers whose issuer must name it before
 * they listen. It is below those that the system gives to connections and to servers that ask for
 * any port: one of these would take it before it is used, and answer for the server under test.
 */
export async function freePort(): Promise<number> {
  const port = randomInt(20_000, 32_000);
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
