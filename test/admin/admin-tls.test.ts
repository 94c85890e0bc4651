import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { certificate, type TestCertificate } from '../support/certificates.ts';
import { scratchFolder } from '../support/scratch.ts';
import { adminToken, testServer } from '../support/server.ts';

it('ADMIN_TLS_CERT_FILE: the admin listener speaks TLS alone, and loads a renewed certificate', async () => {
  const folder = scratchFolder();
  mkdirSync(folder, { recursive: true });
  const [certFile, keyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  const write = ({ pem, keyPem }: TestCertificate) => {
    writeFileSync(certFile, pem);
    writeFileSync(keyFile, keyPem);
  };
  const issued = async (name: string) =>
    certificate({ subject: `CN=${name}`, names: [{ type: 'ip', value: '127.0.0.1' }] });
  const [old, renewed] = [await issued('old'), await issued('renewed')];
  write(old);
  const server = await testServer({
    env: { ADMIN_TLS_CERT_FILE: certFile, ADMIN_TLS_KEY_FILE: keyFile },
  });
  const { port } = new URL(server.adminUrl);
  const ask = async (by: TestCertificate) => {
    const request = get({
      host: '127.0.0.1',
      port,
      path: '/admin/clients',
      ca: by.pem,
      agent: false,
      headers: { authorization: `Bearer ${adminToken}` },
    });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.resume();
    const { subject } = (response.socket as TLSSocket).getPeerCertificate();
    return `${response.statusCode} ${String(subject.CN)}`;
  };
  expect(await ask(old)).toBe('200 old');
  await expect(fetch(`http://127.0.0.1:${port}/admin/clients`)).rejects.toThrow('fetch failed');
  expect(server.printed.join('')).toContain('https://127.0.0.1:');
  write(renewed);
  while (!server.logs.some(({ msg }) => msg === 'TLS certificate reloaded')) await sleep(50);
  expect(await ask(renewed)).toBe('200 renewed');
  await expect(ask(old)).rejects.toThrow(/self-signed/);
  await server.stop();
  rmSync(folder, { recursive: true });
});

it('one file without the other stops the start', () => {
  expect(() => readConfig({ ADMIN_TLS_CERT_FILE: 'a' })).toThrow(
    'ADMIN_TLS_CERT_FILE and ADMIN_TLS_KEY_FILE belong together',
  );
});
