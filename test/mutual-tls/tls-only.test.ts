import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { certificate } from '../support/certificates.ts';
import { freePort } from '../support/ports.ts';
import { testServer } from '../support/server.ts';

it('PORT=off: only TLS listens, and the metadata names https://localhost:TLS_PORT (RFC 8414 §3.3)', {
  timeout: 60_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-only-'));
  const now = Date.now();
  const { pem, keyPem } = await certificate({
    subject: 'CN=localhost',
    names: [{ type: 'dns', value: 'localhost' }],
    notBefore: now - 60_000,
    notAfter: now + 3_600_000,
  });
  const files = { TLS_CERT_FILE: join(folder, 'tls.crt'), TLS_KEY_FILE: join(folder, 'tls.key') };
  writeFileSync(files.TLS_CERT_FILE, pem);
  writeFileSync(files.TLS_KEY_FILE, keyPem);
  const port = await freePort();
  const env = { ISSUER: '', PORT: 'off', TLS_PORT: String(port), ...files };
  const server = await testServer({ env });
  try {
    expect(server.url).toBe('http://127.0.0.1:0');
    const path = '/.well-known/oauth-authorization-server';
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = get({ host: '127.0.0.1', servername: 'localhost', port, path, ca: pem });
      request.on('response', resolve).on('error', reject);
    });
    const issuer = `https://localhost:${port}`;
    expect(await json(response)).toMatchObject({ issuer, token_endpoint: `${issuer}/token` });
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
});
