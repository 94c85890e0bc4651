import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificate } from '../support/certificates.ts';
import { freePort } from '../support/ports.ts';
import { scratchFolder } from '../support/scratch.ts';
import { type TestServer, testServer } from '../support/server.ts';

const folder = scratchFolder();
const host = '127.0.0.1';
let server: TestServer;
const ports: Record<string, number> = {};
let ca: string;

beforeAll(async () => {
  const { pem, keyPem } = await certificate({ names: [{ type: 'dns', value: 'localhost' }] });
  const [certFile, keyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  writeFileSync(certFile, pem);
  writeFileSync(keyFile, keyPem, { mode: 0o600 });
  ca = pem;
  const [port, admin] = [await freePort(), await freePort()];
  Object.assign(ports, { TLS_PORT: port, ADMIN_PORT: admin });
  server = await testServer({
    env: {
      TLS_PORT: String(port),
      TLS_CERT_FILE: certFile,
      TLS_KEY_FILE: keyFile,
      ADMIN_PORT: String(admin),
      ADMIN_TLS_CERT_FILE: certFile,
      ADMIN_TLS_KEY_FILE: keyFile,
    },
  });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

describe.each(['TLS_PORT', 'ADMIN_PORT'])('a TLS connection to %s', (variable) => {
  it.each([
    { sent: 'nothing', bytes: '' },
    { sent: 'half a record', bytes: '\x16\x03\x01\x00' },
  ])(
    'that its client closes after $sent is closed, not kept until its handshake is late',
    async ({ bytes }) => {
      const silent = connect(Number(ports[variable]), host);
      await once(silent, 'connect');
      const late = once(silent, 'close').then(() => 'late');
      const closed = connect({ port: Number(ports[variable]), host, allowHalfOpen: true });
      closed.end(bytes, 'latin1');
      closed.on('error', () => undefined).resume();
      const given = once(closed, 'close').then(() => 'given back');
      expect(await Promise.race([given, late])).toBe('given back');
      silent.destroy();
    },
  );

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'by %s that its client closes after the request gets its answer, and is closed then',
    async (version) => {
      const path = variable === 'TLS_PORT' ? '/jwks' : '/admin/clients';
      const message = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
      for (const requests of [1, 1, 1, 5]) {
        const socket = connectTls({
          host,
          port: Number(ports[variable]),
          ca,
          servername: 'localhost',
          minVersion: version,
          maxVersion: version,
        });
        socket.end(message.repeat(requests));
        expect((await text(socket)).match(/HTTP\/1\.1 (200|401) /g)).toHaveLength(requests);
      }
    },
  );
});
