import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bridgeProfile, startBridge } from '../support/bridge.ts';
import { certificate } from '../support/certificates.ts';
import { runCommand } from '../support/command.ts';
import { needs } from '../support/left-out.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { scratchFolder } from '../support/scratch.ts';

const folder = scratchFolder();
const anchor = join(folder, 'ca.pem');
const seen: string[] = [];
let server: LiveServer;
let api: Http2SecureServer;
let origin = '';

beforeAll(async () => {
  server = await liveServer();
  const ca = await certificate({ subject: 'CN=tests', ca: true });
  const names = [{ type: 'dns' as const, value: 'localhost' }];
  const leaf = await certificate({ subject: 'CN=localhost', issuer: ca, names });
  writeFileSync(anchor, ca.pem);
  api = createSecureServer(
    { key: leaf.keyPem, cert: leaf.pem, allowHTTP1: true },
    (request, response) => {
      const { authorization = '', dpop } = request.headers;
      const host = request.authority || request.headers.host;
      seen.push(`${request.httpVersion} ${host} ${authorization.slice(0, 4)}`);
      response.end(String(decodeJwt(String(dpop))['htu']));
    },
  ).listen(0, '127.0.0.1');
  await once(api, 'listening');
  origin = `https://localhost:${(api.address() as AddressInfo).port}`;
  await bridgeProfile(folder, server, origin);
});
beforeEach(() => {
  seen.length = 0;
});
afterAll(async () => {
  api.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('an API behind TLS', () => {
  it('is called by the bridge, whose certificate authority vouches for it', async () => {
    const listen = ['--listen', '127.0.0.1:0', '--any-local-user'];
    const bridge = await startBridge(folder, ['--to', origin, ...listen], {
      NODE_EXTRA_CA_CERTS: anchor,
    });
    expect(await (await fetch(`${bridge.address}/a?b`)).text()).toBe(`${origin}/a`);
    expect(seen).toEqual([`1.1 ${new URL(origin).host} DPoP`]);
    expect(await bridge.stop()).toBe(0);
  });

  it('gets nothing from the bridge where nobody vouches for it', async () => {
    const listen = ['--listen', '127.0.0.1:0', '--any-local-user'];
    const bridge = await startBridge(folder, ['--to', origin, ...listen]);
    const refused = await fetch(bridge.address);
    expect([refused.status, await refused.text()]).toEqual([
      502,
      expect.stringContaining('UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
    ]);
    expect(seen).toEqual([]);
    await bridge.stop();
  });

  it.skipIf(!needs.curl.isHere())(
    'is called by curl, whose talk of HTTP/2 is redacted',
    async () => {
      const called = await runCommand(folder, ['curl', '-v', '--cacert', anchor, `${origin}/a?b`]);
      expect(called).toMatchObject({ code: 0, stdout: `${origin}/a` });
      expect(called.stderr).toMatch(/\[authorization: DPoP \[redacted\]\]/);
      expect(called.stderr).not.toMatch(/eyJ/);
      expect(seen).toEqual([`2.0 ${new URL(origin).host} DPoP`]);
      expect(await runCommand(folder, ['curl', '-s', origin])).toMatchObject({ code: 60 });
    },
  );
});
