import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCommand, runCommandHere, startCommand } from '../support/command.ts';
import { freeAddress, startProcess } from '../support/process.ts';
import { scratchFolder } from '../support/scratch.ts';
import { adminToken, type TestServer, testServer } from '../support/server.ts';

const folder = scratchFolder();
/** How a file names a variable. */
const named = (name: string) => `\${${name}}`;
const example = join(folder, 'holdfast.yaml');
const secrets = {
  WEB_SHOP_SECRET: 'w'.repeat(40),
  BACK_OFFICE_SECRET: 'b'.repeat(40),
  REPORTS_SECRET: 'r'.repeat(40),
  OLD_SHOP_SECRET: 'o'.repeat(40),
};
copyFileSync(join(import.meta.dirname, '../../examples/holdfast.yaml'), example);
writeFileSync(join(folder, 'orders-api.secret'), `${'a'.repeat(40)}\n`);
afterAll(() => rmSync(folder, { recursive: true }));

const none = /w{40}|b{40}|r{40}|o{40}|a{40}/;
const clientsIn = (yaml: string): string[] =>
  parse(yaml)
    .clients.map(({ client_id }: { client_id: string }) => client_id)
    .sort();

describe('holdfast apply, diff, export, schema', () => {
  let server: TestServer;
  let env: Record<string, string>;
  beforeAll(async () => {
    server = await testServer();
    env = {
      HOLDFAST_ADMIN_URL: server.adminUrl,
      HOLDFAST_ADMIN_TOKEN: adminToken,
      ...secrets,
    };
  });
  afterAll(() => server.stop());
  const run = async (...args: readonly string[]) => runCommandHere(folder, args, { env });

  it('diff shows what is missing, and answers 6', async () => {
    const { code, stdout, stderr } = await run('diff', '-f', example);
    expect([code, stderr]).toEqual([6, '']);
    expect(stdout).toContain('+ client web-shop\n    client_id: "web-shop"');
    expect(stdout).toContain('17 to create, 0 as declared');
    expect(stdout).not.toMatch(none);
  });

  it('apply --dry-run prints the plan and changes nothing', async () => {
    const { code, stdout } = await run('apply', '-f', example, '--dry-run');
    expect([code, stdout]).toEqual([0, expect.stringContaining('+ pairing web-shop courier\n')]);
    expect((await server.admin('GET', 'clients')).body.items).toEqual([]);
  });

  it('apply makes ten clients of one file; the second time there is nothing to do', async () => {
    const first = await run('apply', '-f', example);
    expect([first.code, first.stderr]).toEqual([0, '']);
    expect(first.stdout).toContain('17 to create, 0 as declared\nApplied.\n');
    expect((await server.admin('GET', 'clients')).body.items).toHaveLength(10);
    const second = await run('apply', '-f', example, '--json');
    expect(JSON.parse(second.stdout)).toEqual({ dry_run: true, changes: [], unchanged: 17 });
    expect((await run('diff', '-f', example)).code).toBe(0);
    expect(first.stdout + second.stdout).not.toMatch(none);
  });

  it('export prints a file that changes nothing when it is applied', async () => {
    const { code, stdout } = await run('export');
    expect([code, clientsIn(stdout)]).toEqual([0, expect.arrayContaining(['web-shop'])]);
    expect(stdout).not.toMatch(/client_secret:/);
    const again = await runCommandHere(folder, ['diff', '--prune', '-f', '-'], {
      env,
      input: stdout,
    });
    expect([again.code, again.stdout]).toEqual([0, '17 as declared\n']);
  });

  it('shows each change with its values, but not those of a secret', async () => {
    const changed = join(folder, 'changed.yaml');
    const { stdout: exported } = await run('export');
    writeFileSync(
      changed,
      exported.replace('scope: invoices.read\n', 'scope: invoices.read invoices.write\n'),
    );
    const { code, stdout } = await run('diff', '-f', changed);
    expect(code).toBe(6);
    expect(stdout).toContain('    scope: "invoices.read" -> "invoices.read invoices.write"');
    const other = { ...env, WEB_SHOP_SECRET: 'z'.repeat(40) };
    const renewed = await runCommandHere(folder, ['diff', '-f', example], { env: other });
    expect(renewed.stdout).toContain('~ client web-shop\n    client_secret: (a secret)\n');
    expect(renewed.stdout).not.toMatch(/z{40}/);
  });

  it.each(['apply', 'diff'])(
    '%s warns of a resource server that is neither declared nor registered',
    async (name) => {
      const input = `clients:
  - client_id: web-shop
    client_secret: ${named('WEB_SHOP_SECRET')}
    resources: [https://nowhere.example]
`;
      const args = [name, '-f', '-', ...(name === 'apply' ? ['--dry-run'] : [])];
      const { stderr } = await runCommandHere(folder, args, { env, input });
      expect(stderr).toBe(
        'warning: -:4:17 clients[0].resources[0]: the resource server https://nowhere.example is neither declared here nor registered\n',
      );
    },
  );

  it('export names each registration first', async () => {
    const { stdout } = await run('export');
    expect(stdout).toMatch(/^resource_servers:\n {2}- audience: .*\n {4}client_id: /);
    expect(stdout).toMatch(/^clients:\n {2}- client_id: /m);
  });

  it('names every fault at once with line and column, and answers 5', async () => {
    const faulty = join(folder, 'faulty.yaml');
    writeFileSync(
      faulty,
      [
        'clients:',
        '  - client_id: a',
        `    client_secret: ${named('NOT_SET')}`,
        '    scop: read',
        '  - client_id: b',
        '    token_endpoint_auth_method: private_key_jwt',
        '  - client_id: c',
        `    client_secret: ${named('ADMIN_TOKEN')}`,
        'resource_serverz: []',
      ].join('\n'),
    );
    const { code, stdout, stderr } = await run('apply', '-f', faulty);
    expect([code, stdout]).toEqual([5, '']);
    expect(stderr.replaceAll(`${faulty}:`, '')).toBe(
      [
        'holdfast: The file has faults:',
        '3:5 clients[0].client_secret: the variable NOT_SET is not set',
        '4:5 clients[0].scop: the member is unknown; the nearest known member is scope',
        '5:5 clients[1].jwks: this token_endpoint_auth_method needs jwks or jwks_uri',
        '8:5 clients[2].client_secret: ADMIN_TOKEN is a variable of Holdfast itself; give the secret another name',
        '9:1 resource_serverz: the member is unknown; the nearest known member is resource_servers',
        '',
      ].join('\n'),
    );
  });

  it.each([
    ['a wrong token', { HOLDFAST_ADMIN_TOKEN: 'x'.repeat(40) }, 3],
    ['no server', { HOLDFAST_ADMIN_URL: 'http://127.0.0.1:1' }, 4],
    ['no token', { HOLDFAST_ADMIN_TOKEN: '' }, 5],
  ])('answers %s by its exit code', async (_, more, expected) => {
    const run = await runCommandHere(folder, ['apply', '-f', example], {
      env: { ...env, ...more },
    });
    expect([run.code, run.stdout]).toEqual([expected, '']);
  });

  it.each([
    ['apply', ['-f', 'a.yaml', '-f', 'b.yaml', '--prune'], '-f, --file <file>'],
    ['diff', ['-f', 'a.yaml', '--file=b.yaml'], '-f, --file <file>'],
    ['export', ['--admin-url', 'http://a', '--admin-url', 'http://b'], '--admin-url <url>'],
  ])('%s refuses an option that is given twice: %j', async (command, args, option) => {
    const { code, stdout, stderr } = await run(command, ...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`error: option '${option}' may be given only once`);
  });

  it.each(['destroyed at once', 'after one line'])(
    'diff answers 6 although its reader stops: %s',
    async (when) => {
      const { code } = await run('diff', '-f', example);
      const child = startCommand(folder, ['diff', '-f', example, '--prune'], {
        ...env,
        WEB_SHOP_SECRET: 'z'.repeat(40),
      });
      if (when === 'after one line') await once(child.stdout, 'data');
      child.stdout.destroy();
      expect([code, (await once(child, 'exit'))[0]]).toEqual([0, 6]);
    },
  );

  it('apply applies its plan although nobody reads it', async () => {
    const body = '{"resource_servers":[{"audience":"https://unread.example.com"}]}';
    const child = startCommand(folder, ['apply', '-f', '-'], env);
    child.stdout.destroy();
    child.stdin.end(body);
    expect((await once(child, 'exit'))[0]).toBe(0);
    const again = await runCommandHere(folder, ['diff', '-f', '-'], { env, input: body });
    expect(again.stdout).toBe('1 as declared\n');
    const [made] = (await server.admin('GET', 'resource-servers')).body.items.filter(
      ({ audience }: { audience: string }) => audience === 'https://unread.example.com',
    );
    await server.admin('DELETE', `resource-servers/${made.id}`);
  });

  it.runIf(existsSync('/dev/full'))('says that its output cannot be written', () => {
    const launcher = join(import.meta.dirname, '../../bin/holdfast.js');
    const args = ['-c', 'exec "$0" "$1" schema > /dev/full', process.execPath, launcher];
    const { status, stderr } = spawnSync('/bin/sh', args, { encoding: 'utf8' });
    expect([status, stderr]).toEqual([
      1,
      'holdfast: Standard output cannot be written: the disk is full.\n',
    ]);
  });

  it('refuses a file in Latin-1', async () => {
    const latin = join(folder, 'latin.yaml');
    writeFileSync(latin, Buffer.from('clients:\n  - client_name: caf\xe9\n', 'latin1'));
    const { code, stderr } = await run('apply', '-f', latin);
    expect([code, stderr]).toEqual([5, `holdfast: The file ${latin} is not UTF-8.\n`]);
  });

  it('prints a JSON Schema that takes the example, and refuses a secret that stands in the file', async () => {
    const { code, stdout } = await run('schema');
    const ajv = new Ajv2020({ allowUnionTypes: true, strictTypes: false });
    addFormats.default(ajv);
    const validate = ajv.compile(JSON.parse(stdout));
    const declared = () =>
      runCommandHere(folder, ['export'], { env }).then(({ stdout: text }) => parse(text));
    expect([code, validate(await declared())]).toEqual([0, true]);
    const client = { client_id: 'a', client_secret: named('A_SECRET') };
    expect(validate({ $schema: 'x', clients: [client] })).toBe(true);
    expect(validate({ clients: [{ ...client, client_secret: 'a'.repeat(40) }] })).toBe(false);
    expect(validate({ clients: [{ client_secret: named('A_SECRET') }] })).toBe(false);
    expect(validate({ client: [] })).toBe(false);
  });
});

describe('an answer that does not come', () => {
  it.each([
    ['to the plan', 0, 'Nothing was changed.'],
    ['to the change', 1, 'All of it may have been applied, or nothing: run diff.'],
  ])('%s: apply says what that means', async (_what, answered, advice) => {
    const plan = { changes: [{ kind: 'client', name: 'a', action: 'create', members: [] }] };
    let asked = 0;
    const server = createServer((request, response) => {
      request.resume();
      request.on('end', () => {
        asked += 1;
        if (asked > answered) response.destroy();
        else response.end(JSON.stringify({ ...plan, unchanged: 0 }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const env = {
      HOLDFAST_ADMIN_URL: `http://127.0.0.1:${port}`,
      HOLDFAST_ADMIN_TOKEN: adminToken,
      ...secrets,
    };
    const { code, stderr } = await runCommand(folder, ['apply', '-f', example], { env });
    expect([code, stderr]).toEqual([4, expect.stringContaining(advice)]);
    server.close();
  });
});

describe('docs/operations/configuration-file.md', () => {
  it('begins with a file and commands that do what it says', async () => {
    const page = join(import.meta.dirname, '../../docs/operations/configuration-file.md');
    const blocks = [...readFileSync(page, 'utf8').matchAll(/^```\w+\n([\s\S]*?)^```$/gm)];
    const [file = '', script = ''] = blocks.map(([, code = '']) => code);
    writeFileSync(join(folder, 'page.yaml'), file);
    const server = await testServer();
    const env = {
      HOLDFAST_ADMIN_URL: server.adminUrl,
      HOLDFAST_ADMIN_TOKEN: adminToken,
      REPORTS_SECRET: 'p'.repeat(40),
    };
    const commands = [...script.matchAll(/^npx holdfast (\w+) -f holdfast\.yaml$/gm)];
    const codes: unknown[] = [];
    for (const [, name = ''] of commands)
      codes.push([
        name,
        (await runCommandHere(folder, [name, '-f', join(folder, 'page.yaml')], { env })).code,
      ]);
    expect(codes).toEqual([
      ['diff', 6],
      ['apply', 0],
    ]);
    expect((await server.admin('GET', 'clients/reports')).body.scope).toBe('read');
    await server.stop();
  });
});

describe('CONFIG_FILE', () => {
  it('takes a new machine to ten clients: one file, one command; and a restart changes nothing', async () => {
    const address = await freeAddress();
    const data = join(folder, 'data.db');
    const start = async (more = {}) =>
      startProcess(
        { DATABASE_URL: `file:${data}`, CONFIG_FILE: example, ...secrets, ...more },
        address,
      );
    const env = {
      HOLDFAST_ADMIN_URL: `http://127.0.0.1:${address.adminPort}`,
      HOLDFAST_ADMIN_TOKEN: adminToken,
      ...secrets,
    };
    const first = await start({ WORKERS: '2' });
    const { stdout } = await runCommandHere(folder, ['export'], { env });
    expect(clientsIn(stdout)).toHaveLength(10);
    await expect.poll(first.output).toMatch(/CONFIG_FILE is applied/);
    expect(first.output().match(/CONFIG_FILE is applied/g)).toHaveLength(1);
    expect(first.output()).not.toMatch(none);
    await first.end('SIGTERM');
    const again = await start();
    // Log lines are written together, a tenth of a second later at most.
    await expect.poll(again.output).toMatch(/"changes":0,"msg":"CONFIG_FILE is applied"/);
    expect((await runCommandHere(folder, ['diff', '-f', example], { env })).code).toBe(0);
    const events = await fetch(`${again.adminUrl}/audit-events?type=client_created`, {
      headers: { authorization: `Bearer ${adminToken}` },
    });
    const { items } = (await events.json()) as { items: { actor: string }[] };
    expect(new Set(items.map(({ actor }) => actor))).toEqual(new Set(['admin:CONFIG_FILE']));
    await again.end('SIGTERM');
  }, 60_000);

  it('stops the start with every fault, and with no value', async () => {
    const address = await freeAddress();
    const faulty = join(folder, 'start.yaml');
    writeFileSync(
      faulty,
      `clients:\n  - client_id: a\n    client_secret: ${named('A_SECRET')}\n    scop: x\n`,
    );
    const start = startProcess(
      {
        DATABASE_URL: `file:${join(folder, 'other.db')}`,
        CONFIG_FILE: faulty,
        A_SECRET: 'short-secret',
      },
      address,
    );
    const message = await start.then(
      () => '',
      (error: Error) => error.message,
    );
    expect(message).toContain(
      `${faulty}:3:5 clients[0].client_secret: the member must have at least 32`,
    );
    expect(message).toContain(`${faulty}:4:5 clients[0].scop: the member is unknown`);
    expect(message).not.toContain('short-secret');
    expect(message).not.toContain('"msg":"request"');
  });
});
