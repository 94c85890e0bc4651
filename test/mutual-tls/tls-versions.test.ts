import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, getCiphers } from 'node:tls';
import Fastify from 'fastify';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TlsListener, tlsListener } from '../../src/http/listener/tls-listener.ts';
import { certificate, type TestCertificate } from '../support/certificates.ts';

const kinds = ['ECDSA', 'RSA'] as const;
const accepted: readonly string[] = kinds.flatMap((kind) =>
  ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'].map(
    (cipher) => `ECDHE-${kind}-${cipher}`,
  ),
);
/** Every suite of TLS 1.2 and before that this OpenSSL knows. */
const refused = getCiphers()
  .map((name) => name.toUpperCase())
  .filter((name) => !name.startsWith('TLS_') && !accepted.includes(name));

const folder = mkdtempSync(join(tmpdir(), 'holdfast-suites-'));
const app = Fastify();
const listeners = new Map<string, TlsListener>();

beforeAll(async () => {
  const ca = await certificate({ subject: 'CN=ca', ca: true });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const certificates: Readonly<Record<(typeof kinds)[number], TestCertificate>> = {
    ECDSA: await certificate({ subject: 'CN=as', issuer: ca }),
    RSA: await certificate({ subject: 'CN=as', issuer: ca, key: rsa }),
  };
  for (const kind of kinds) {
    const file = (content: string) => {
      const path = join(folder, randomUUID());
      writeFileSync(path, content);
      return path;
    };
    const { pem, keyPem } = certificates[kind];
    const files = { certFile: file(pem), keyFile: file(keyPem) };
    const listener = tlsListener(app, files, pino({ level: 'silent' }));
    listeners.set(kind, listener);
    await once(listener.listen(0, '127.0.0.1'), 'listening');
  }
});
afterAll(async () => {
  for (const listener of listeners.values()) {
    listener.stopWatching();
    listener.close();
  }
  await app.close();
  rmSync(folder, { recursive: true });
});

/** The suite that a handshake with the listener of this certificate ended in, or `refused`. */
async function handshake(kind: string, options: ConnectionOptions): Promise<string> {
  const { port } = (listeners.get(kind) as TlsListener).address() as AddressInfo;
  return new Promise((resolve) => {
    try {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
      socket.on('secureConnect', () => {
        resolve(`${socket.getProtocol()} ${socket.getCipher().name}`);
        socket.destroy();
      });
      socket.on('error', () => resolve('refused'));
    } catch {
      // A suite that OpenSSL knows and was built without.
      resolve('refused');
    }
  });
}
const only = (suite: string): ConnectionOptions => ({
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  // Whatever the client's own OpenSSL thinks of it.
  ciphers: `${suite}:@SECLEVEL=0`,
});

describe('RFC 9325 §4.2: TLS 1.2', () => {
  it.each(accepted)('%s is spoken', async (suite) => {
    const [, kind = ''] = suite.split('-');
    expect(await handshake(kind, only(suite))).toBe(`TLSv1.2 ${suite}`);
  });
  it.each(refused)('%s is refused with either kind of certificate', async (suite) => {
    expect([await handshake('ECDSA', only(suite)), await handshake('RSA', only(suite))]).toEqual([
      'refused',
      'refused',
    ]);
  });
  it('static RSA and CBC are among them', () => {
    expect(refused).toEqual(
      expect.arrayContaining(['AES128-GCM-SHA256', 'AES256-SHA', 'ECDHE-RSA-AES128-SHA256']),
    );
  });
});

describe('other versions of TLS', () => {
  it.each(['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'])(
    '1.3 with %s is spoken',
    async (suite) => {
      for (const kind of kinds)
        expect(await handshake(kind, { ciphers: suite })).toBe(`TLSv1.3 ${suite}`);
    },
  );
  it.each(['TLSv1', 'TLSv1.1'] as const)('%s is refused (RFC 8996)', async (version) => {
    const options = { minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' };
    expect(await handshake('ECDSA', options)).toBe('refused');
  });
});
