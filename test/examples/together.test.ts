import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LiveServer, liveServer } from '../support/live-server.ts';
import { scratchFolder } from '../support/scratch.ts';
import { clientSecret } from '../support/token-endpoint-fixture.ts';
import { languages, type RunningExample, runClient, startResourceServer } from './languages.ts';

const audience = 'https://api.example.com';
const servers = languages.filter(({ resourceServer }) => resourceServer !== undefined);

describe.each(servers)('examples: the API in $name with tokens of the server', (api) => {
  let folder: string;
  let server: LiveServer;
  let running: RunningExample | undefined;
  beforeAll(async () => {
    folder = scratchFolder();
    await Promise.all(languages.map(async ({ here, build }) => here && build?.()));
    server = await liveServer();
    await server.admin('POST', 'resource-servers', { audience, scopes: ['read'] });
    await server.admin('POST', 'clients', {
      client_id: 'reports',
      client_secret: clientSecret,
      scope: 'read',
    });
    if (api.resourceServer !== undefined)
      running = await startResourceServer(api.resourceServer(), {
        HOME: folder,
        ISSUER: server.issuer,
        AUDIENCE: audience,
      });
  });
  afterAll(async () => {
    await running?.stop();
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  it.skipIf(!api.here).for(languages)('lets in the client in $name', async (language, { skip }) => {
    const { here, client } = language;
    if (running === undefined || !here) return skip('a language is not installed');
    const answer = await runClient(client(), `${running.origin}/reports?year=2026`, {
      HOME: folder,
      ISSUER: server.issuer,
      CLIENT_ID: 'reports',
      CLIENT_SECRET: clientSecret,
      RESOURCE: audience,
    });
    expect([answer.code, answer.stderr]).toEqual([0, '']);
    expect(JSON.parse(answer.stdout)).toEqual({ client_id: 'reports' });
  });
});
