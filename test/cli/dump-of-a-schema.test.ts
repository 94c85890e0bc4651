import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command.ts';
import { needs } from '../support/left-out.ts';
import { scratchFolder } from '../support/scratch.ts';
import { testServer } from '../support/server.ts';
import { execute } from '../support/sql.ts';
import { onPostgresqlServer, type TestStore } from '../support/stores.ts';

const launcher = join(import.meta.dirname, '../../bin/holdfast.js');

describe.runIf(needs.postgresql.isHere(process.env))('the dump of a schema', () => {
  let folder: string;
  let store: TestStore;
  beforeEach(async () => {
    folder = scratchFolder();
    store = await onPostgresqlServer.make('empty');
  });
  afterEach(async () => {
    await store.remove();
    rmSync(folder, { recursive: true });
  });

  const shell = (script: string, env: Readonly<Record<string, string>>) =>
    execFileSync(
      'sh',
      ['-euc', `holdfast() { "${process.execPath}" "${launcher}" "$@"; }\n${script}`],
      { env: { PATH: process.env['PATH'], ...env }, encoding: 'utf8', stdio: 'pipe' },
    );

  it.each([
    ['foo', '?schema=foo'],
    ['Own', '?application_name=x&schema=Own&connect_timeout=5'],
    ['foo', '?schema=foo&connect_timeout=5'],
  ])('%s is made and restored by the lines printed for %s', async (schema, query) => {
    const plain = store.env['DATABASE_URL'] ?? '';
    const env = { ...store.env, DATABASE_URL: `${plain}${query}` };
    const server = await testServer({ store: { ...store, env } });
    await server.stop();
    const file = join(folder, 'copy.dump');
    const words = async (...args: readonly string[]) => {
      const { stderr } = await runCommand(folder, args, { env });
      expect(stderr).not.toContain(new URL(plain).host);
      return stderr.replace(/^holdfast: .*\n$/m, '');
    };
    expect(shell(await words('backup', file), env)).toMatch(/ bytes, checked\.\n$/);
    const drop = `drop schema "${schema.replaceAll('"', '""')}" cascade`;
    await execute(store, drop);
    shell(await words('restore', file), env);
    const again = await testServer({ store: { ...store, env } });
    await again.stop();
  });
});
