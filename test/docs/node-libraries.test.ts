import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runClient } from '../examples/languages.ts';
import { type Api, openApi } from '../support/api.ts';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { scratchFolder } from '../support/scratch.ts';
import { clientSecret } from '../support/token-endpoint-fixture.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/clients/node-libraries.md'), 'utf8');
const blocks = [...page.matchAll(/^## (\S+)\n\n```js\n([\s\S]*?)^```$/gm)].map(
  ([, library = '', code = '']) => ({ library, code }),
);

describe('RFC 9449 by clients of other authors, as docs/clients/node-libraries.md says', () => {
  const folder = scratchFolder();
  let [server, api]: [LiveServer, Api] = [] as never;
  beforeAll(async () => {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    server = await liveServer({ DPOP_NONCE: 'required' });
    api = await openApi(server.issuer, { nonceRequired: true });
    await server.admin('POST', 'resource-servers', { audience: api.origin, scopes: ['read'] });
    await server.admin('POST', 'clients', {
      client_id: 'reports',
      client_secret: clientSecret,
      scope: 'read',
    });
  });
  afterAll(async () => {
    await api.close();
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  it('there are two', () =>
    expect(blocks.map(({ library }) => library)).toEqual(['oauth4webapi', 'openid-client']));

  it.each(blocks)('$library', async ({ library, code }) => {
    const program = join(folder, `${library}.mjs`);
    writeFileSync(program, code);
    const url = `${api.origin}/reports`;
    const answer = await runClient([process.execPath, program], url, {
      ISSUER: server.issuer,
      CLIENT_ID: 'reports',
      CLIENT_SECRET: clientSecret,
      RESOURCE: api.origin,
      API: url,
    });
    expect(answer).toEqual({
      code: 0,
      stdout: '{"presenter":"reports","method":"jkt","body":""}\n',
      stderr: '',
    });
    expect(api.seen.at(-1)?.outcome).toBe('reports by jkt');
  });
});
