import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate } from '../support/certificates.ts';
import { freePort } from '../support/ports.ts';
import { scratchFolder } from '../support/scratch.ts';
import { type TestServer, testServer } from '../support/server.ts';

const folder = scratchFolder();
const files = { TLS_CERT_FILE: join(folder, 'tls.crt'), TLS_KEY_FILE: join(folder, 'tls.key') };
beforeAll(async () => {
  const { pem, keyPem } = await certificate({ names: [{ type: 'dns', value: 'localhost' }] });
  writeFileSync(files.TLS_CERT_FILE, pem);
  writeFileSync(files.TLS_KEY_FILE, keyPem, { mode: 0o600 });
});
afterAll(() => rmSync(folder, { recursive: true }));

const host = '127.0.0.1';
const listeners: Record<string, (server: TestServer, tlsPort: number) => Socket> = {
  PORT: ({ url }) => reach(new URL(url).port),
  ADMIN_PORT: ({ adminUrl }) => reach(new URL(adminUrl).port),
  GATEWAY_PORT: ({ gatewayUrl }) => reach(new URL(gatewayUrl).port),
  'TLS_PORT, before the handshake': (_, port) => reach(port),
  'TLS_PORT, after the handshake': (_, port) =>
    connectTls({ host, port, rejectUnauthorized: false }),
};
const reach = (port: string | number) => connect({ port: Number(port), host, allowHalfOpen: true });

/** Longer than a test may take, as is what ends a connection without a byte. */
const SHUTDOWN_TIMEOUT_MS = '600000';

describe('a stop ends, whatever its SHUTDOWN_TIMEOUT_MS, beside a client that', () => {
  const header = 'POST /token HTTP/1.1\r\nHost: localhost\r\n';
  const rows = Object.keys(listeners).flatMap((listener) => [
    { does: 'has sent nothing', listener, bytes: '', reads: true },
    { does: 'has sent half a header', listener, bytes: header, reads: true },
    { does: 'has sent half a header, and reads nothing', listener, bytes: header, reads: false },
  ]);
  it.concurrent.each(rows)('$does, at $listener', { timeout: 25_000 }, async (row) => {
    const tlsPort = await freePort();
    const env = { ...files, TLS_PORT: String(tlsPort), GATEWAY_PORT: '0', SHUTDOWN_TIMEOUT_MS };
    const server = await testServer({ env });
    const client = listeners[row.listener]?.(server, tlsPort) as Socket;
    // It keeps its own direction open.
    client.on('error', () => undefined);
    if (row.reads) client.resume();
    await once(client, row.listener.includes('after') ? 'secureConnect' : 'connect');
    client.write(row.bytes);
    await expect(server.stop()).resolves.toBeUndefined();
    client.destroy();
  });
});
