import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { resetAdminToken } from '../../src/cli/admin-token-reset.ts';
import { testServer } from '../support/server.ts';
import { onSqlite } from '../support/stores.ts';

it('two resets in the same second make two tokens, and say what they are for', async () => {
  const store = await onSqlite.make();
  await (await testServer({ store })).stop();
  const now = Date.now();
  const reset = async () => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const terminal = { env: store.env, stdin: Readable.from([]), stdout, stderr, clock: () => now };
    await resetAdminToken(terminal, { expiresIn: '600' });
    stdout.end();
    stderr.end();
    return { token: await text(stdout), said: await text(stderr) };
  };
  const [first, second] = [await reset(), await reset()];
  expect(second.token).not.toBe(first.token);
  expect(second.said).not.toBe(first.said);
  expect(first.said).toMatch(
    /^The admin token reset-\S+ has every scope until it expires: create a permanent named token with it\.\n$/,
  );
  await store.remove();
});
