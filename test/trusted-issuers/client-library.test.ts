import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createHolder } from '../../packages/client/src/client.ts';
import type { HolderOptions } from '../../packages/client/src/options.ts';
import { type Api, openApi } from '../support/api.ts';
import { startBridge } from '../support/bridge.ts';
import { randomJti, type TestKey, testKey } from '../support/keys.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { scratchFolder } from '../support/scratch.ts';

const folder = scratchFolder();
const file = join(folder, 'platform-token');
let [server, api, platform, rule]: [LiveServer, Api, TestKey, string] = [] as never;

beforeAll(async () => {
  platform = await testKey();
  server = await liveServer();
  api = await openApi(server.issuer);
  const made = async (path: string, body: object) =>
    (await server.admin('POST', path, body)).body.id as string;
  await made('resource-servers', { audience: api.origin, scopes: ['read'] });
  const method = { token_endpoint_auth_method: 'workload_jwt' };
  await made('clients', { client_id: 'worker', scope: 'read', ...method });
  const id = await made('trusted-issuers', {
    issuer: 'https://platform.example.com',
    purposes: ['workload'],
    jwks: { keys: [platform.jwk] },
  });
  const path = `trusted-issuers/${id}/rules`;
  rule = `${path}/${await made(path, { claims: { sub: 'worker' }, client_id: 'worker' })}`;
});
beforeEach(async () => writeFileSync(file, `${await platformToken()}\n`));
afterAll(async () => {
  await Promise.all([api.close(), server.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const platformToken = async () => {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { iss: 'https://platform.example.com', sub: 'worker', aud: server.issuer };
  return platform.sign({ ...claims, iat, exp: iat + 600, jti: randomJti() }, {});
};
const holderBy = async (token: object) =>
  createHolder({
    issuer: server.issuer,
    clientId: 'worker',
    resource: api.origin,
    key: 'memory',
    authentication: { method: 'workload_jwt', token },
  } as HolderOptions);

describe('a workload with nothing but its platform token and a fresh key', () => {
  it.each<[string, () => object]>([
    ['a file', () => ({ file })],
    ['a function', () => platformToken],
  ])('calls an API by @holdfast/client, by %s', async (_, token) => {
    const holder = await holderBy(token());
    const answer = await holder.fetch(`${api.origin}/reports`);
    expect(await answer.json()).toMatchObject({ presenter: 'worker', method: 'jkt' });
  });
  it('and by holdfast bridge, which reads the file anew', async () => {
    const env = {
      HOLDFAST_ISSUER: server.issuer,
      HOLDFAST_CLIENT_ID: 'worker',
      HOLDFAST_WORKLOAD_TOKEN_FILE: file,
      HOLDFAST_BRIDGE_SECRET: 'b'.repeat(32),
    };
    const bridge = await startBridge(
      folder,
      ['--to', api.origin, '--resource', api.origin, '--listen', '127.0.0.1:0'],
      env,
    );
    try {
      const headers = { 'holdfast-bridge-secret': 'b'.repeat(32) };
      const answer = await fetch(`${bridge.address}/reports`, { headers });
      expect(await answer.json()).toMatchObject({ presenter: 'worker', method: 'jkt' });
    } finally {
      await bridge.stop();
    }
  });
  it('where it is pinned, the same token is of no use to another key', async () => {
    await server.admin('PATCH', rule, { pin: true });
    try {
      const [mine, thief] = [await holderBy({ file }), await holderBy({ file })];
      expect((await mine.token()).tokenType).toBe('DPoP');
      await expect(thief.token()).rejects.toMatchObject({
        code: 'token_refused',
        status: 401,
        error: 'invalid_client',
      });
      expect((await mine.for({ scope: 'read' }).token()).scope).toBe('read');
    } finally {
      await server.admin('PATCH', rule, { pin: null });
    }
  });
  it('a file that is not there says which', async () => {
    const holder = await holderBy({ file: join(folder, 'none') });
    await expect(holder.token()).rejects.toThrow(/none: ENOENT/);
  });
});
