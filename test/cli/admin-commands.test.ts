import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sinceOf } from '../../src/cli/times.ts';
import { runCommandHere, startCommand } from '../support/command.ts';
import { scratchFolder } from '../support/scratch.ts';
import { adminToken, type TestServer, testServer } from '../support/server.ts';

const folder = scratchFolder();
let server: TestServer;
let env: Record<string, string>;
beforeAll(async () => {
  server = await testServer({ clock: { now: Date.now() } });
  writeFileSync(join(folder, 'token'), `${adminToken}\n`);
  env = {
    HOLDFAST_ADMIN_URL: server.adminUrl,
    HOLDFAST_ADMIN_TOKEN_FILE: join(folder, 'token'),
  };
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const run = async (args: readonly string[], input = '') =>
  runCommandHere(folder, args, { env, input });
const json = async <T>(args: readonly string[], input = '') => {
  const { code, stdout, stderr } = await run([...args, '--json'], input);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as T;
};

const resources = [
  {
    name: 'clients',
    id: 'client_id',
    body: { client_id: 'reports', client_secret: 's'.repeat(32), client_name: 'Reports' },
    shown: /^CLIENT_ID +CLIENT_NAME .*\nreports +Reports +client_secret_basic/m,
  },
  {
    name: 'resource-servers',
    id: 'id',
    body: { audience: 'https://api.example.com', scopes: ['read'] },
    shown: /https:\/\/api\.example\.com/,
  },
];

describe('holdfast clients|resource-servers|pairings', () => {
  it.each(resources)('$name: create, get, list, delete', async ({ name, id, body, shown }) => {
    const made: Record<string, string> = await json([name, 'create'], JSON.stringify(body));
    const key = made[id] ?? '';
    expect(await json([name, 'get', key])).toMatchObject({ [id]: key });
    expect(await json([name, 'list'])).toMatchObject([{ [id]: key }]);
    expect((await run([name, 'list'])).stdout).toMatch(shown);
    expect(await json([name, 'delete', key])).toEqual({ deleted: key });
    expect(await json([name, 'list'])).toEqual([]);
    expect(await run([name, 'get', key])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('The admin API answered 404'),
    });
  });

  it('a list has every page', async () => {
    for (let index = 0; index < 201; index++)
      await server.admin('POST', 'clients', {
        client_id: `many-${index}`,
        client_secret: 's'.repeat(32),
      });
    expect(await json(['clients', 'list'])).toHaveLength(201);
  });

  it('a resource server is found by its audience, too', async () => {
    const audience = 'https://by.example.com';
    const made = await json<{ id: string }>(
      ['resource-servers', 'create'],
      JSON.stringify({ audience }),
    );
    expect(await json(['resource-servers', 'get', audience])).toMatchObject({ id: made.id });
    expect(await json(['resource-servers', 'delete', audience])).toEqual({ deleted: audience });
    expect(await json(['resource-servers', 'list'])).toEqual([]);
  });

  it('pairings of two clients', async () => {
    const pairing = { requester: 'many-1', holder: 'many-2' };
    const { id } = await json<{ id: string }>(['pairings', 'create'], JSON.stringify(pairing));
    expect((await run(['pairings', 'list'])).stdout).toMatch(`${id}`);
    expect(await json(['pairings', 'delete', id])).toEqual({ deleted: id });
  });

  it.each([
    ['input that is not JSON, without repeating it', ['clients', 'create'], 'hush', 2],
    ['a body that the API refuses', ['clients', 'create'], '{"client_id":7}', 3],
    ['a name that is no name', ['clients', 'delete', '..'], '', 2],
    ['a name that begins as an option does', ['keys', 'revoke', '-3JN9kZyp', '--json'], '', 3],
    ['an option that is misspelt', ['keys', 'revoke', '--jsn', 'abc'], '', 2],
  ])('%s', async (_case, args, input, code) => {
    const ran = await run(args, input);
    expect(ran.code).toBe(code);
    expect(ran.stderr).not.toContain('hush');
  });
});

describe('holdfast keys', () => {
  it('lists, rotates and revokes', async () => {
    const [first] = await json<{ kid: string }[]>(['keys', 'list']);
    const next = await json<{ kid: string }>(['keys', 'rotate', '--immediately']);
    expect(next.kid).not.toBe(first?.kid);
    expect((await run(['keys', 'list'])).stdout).toMatch(
      new RegExp(`^${next.kid} +ES256 +issuer +\\w+ +\\d{4}-`, 'm'),
    );
    expect(await json(['keys', 'revoke', first?.kid ?? ''])).toEqual({ revoked: first?.kid });
    expect(await run(['keys', 'revoke', first?.kid ?? ''])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('there is no such signing key, or it is revoked already'),
    });
  });
});

describe('holdfast audit tail', () => {
  it('prints the trail as JSON Lines or as text, by type', async () => {
    const { stdout } = await run(['audit', 'tail', '--type', 'signing_key_revoked', '--json']);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { type: 'signing_key_revoked' },
    ]);
    const text = await run(['audit', 'tail', '--type', 'signing_key_revoked']);
    expect(text.stdout).toMatch(/^\S+Z signing_key_revoked admin:bootstrap detail=\{"kid":/);
  });

  it.each(['5', 'yesterday', '2026-13-01', '2026-02-30', '2026-11-24T09:00', '1.5h', '99999999d'])(
    'refuses --since %s, and says what it takes',
    async (since) => {
      const { code, stdout, stderr } = await run(['audit', 'tail', '--since', since]);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/--since takes .*2026-11-24T09:00:00Z.* 30m, 24h or 7d/);
    },
  );

  it.each([
    ['30m', '2026-11-24T11:30:00.000Z'],
    ['24h', '2026-11-23T12:00:00.000Z'],
    ['7d', '2026-11-17T12:00:00.000Z'],
    ['2026-11-24', '2026-11-24T00:00:00.000Z'],
    ['2026-11-24T09:00Z', '2026-11-24T09:00:00.000Z'],
    ['2026-11-24T09:00:00.5+01:00', '2026-11-24T08:00:00.500Z'],
  ])('--since %s is %s at noon', (since, expected) => {
    const noon = Date.parse('2026-11-24T12:00:00Z');
    expect(sinceOf(since, noon).toISOString()).toBe(expected);
  });

  it('begins a duration ago', async () => {
    const { stdout } = await run(['audit', 'tail', '--since', '10m']);
    expect(stdout).toContain('signing_key_revoked');
  });

  it.each([
    ['clientcreated', 'The nearest known type is client_created.'],
    ['bogus', 'docs/reference/audit-events.md lists the types.'],
  ])('refuses the unknown type %s', async (type, advice) => {
    const { code, stdout, stderr } = await run(['audit', 'tail', '--type', type]);
    expect([code, stdout, stderr]).toEqual([
      2,
      '',
      `holdfast: There is no event of the type "${type}". ${advice}\n`,
    ]);
  });

  it('--follow goes on with what comes, once the delay of the trail is over', async () => {
    const child = startCommand(
      folder,
      ['audit', 'tail', '--follow', '--type', 'client_created'],
      env,
    );
    let seen = '';
    child.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    const until = async (words: RegExp) => {
      while (!words.test(seen)) await once(child.stdout, 'data');
    };
    server.clock.now += 61_000;
    await until(/client_id=many-200/);
    await server.admin('POST', 'clients', { client_id: 'late', client_secret: 's'.repeat(32) });
    server.clock.now += 61_000;
    await until(/client_id=late/);
    child.kill();
    await once(child, 'exit');
    expect(seen.match(/client_id=many-7\s/g)).toHaveLength(1);
  });

  it('--follow ends when nobody reads it any more', async () => {
    const child = startCommand(folder, ['audit', 'tail', '--follow'], env);
    await once(child.stdout, 'data');
    child.stdout.destroy();
    await server.admin('POST', 'clients', { client_id: 'unread', client_secret: 's'.repeat(32) });
    server.clock.now += 61_000;
    expect((await once(child, 'exit'))[0]).toBe(0);
  });
});
