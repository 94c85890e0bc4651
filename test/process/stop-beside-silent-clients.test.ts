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
  PORT: ({ url }) => connect(Number(new URL(url).port), host),
  ADMIN_PORT: ({ adminUrl }) => connect(Number(new URL(adminUrl).port), host),
  GATEWAY_PORT: ({ gatewayUrl }) => connect(Number(new URL(gatewayUrl).port), host),
  'TLS_PORT, before the handshake': (_, port) => connect(port, host),
  'TLS_PORT, after the handshake': (_, port) =>
    connectTls({ host, port, rejectUnauthorized: false }),
};

describe('a stop ends, whatever its SHUTDOWN_TIMEOUT_MS, beside a client that has sent', () => {
  const rows = Object.keys(listeners).flatMap((listener) => [
    { sent: 'nothing', listener, bytes: '' },
    { sent: 'half a header', listener, bytes: 'POST /token HTTP/1.1\r\nHost: localhost\r\n' },
  ]);
  it.concurrent.each(rows)('$sent to $listener', async ({ listener, bytes }) => {
    const tlsPort = await freePort();
    const tenMinutes = '600000';
    const server = await testServer({
      env: {
        ...files,
        TLS_PORT: String(tlsPort),
        GATEWAY_PORT: '0',
        SHUTDOWN_TIMEOUT_MS: tenMinutes,
      },
    });
    const client = listeners[listener]?.(server, tlsPort) as Socket;
    client.on('error', () => undefined).resume();
    await once(client, listener.includes('after') ? 'secureConnect' : 'connect');
    client.write(bytes);
    await expect(server.stop()).resolves.toBeUndefined();
    client.destroy();
  });
});
