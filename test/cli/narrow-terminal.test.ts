import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { printItems } from '../../src/cli/terminal.ts';

const items = [
  { kid: 'k'.repeat(43), alg: 'ES256', state: 'active' },
  { kid: 'l'.repeat(43), alg: 'ES384', state: 'announced' },
];

/** What is printed on a terminal of this width; undefined: into a pipe. */
async function printed(columns: number | undefined) {
  const stdout = Object.assign(new PassThrough(), { isTTY: columns !== undefined, columns });
  printItems({ stdout } as Parameters<typeof printItems>[0], ['kid', 'alg', 'state'], items);
  stdout.end();
  return text(stdout);
}

it('a terminal that is too narrow for a table gets a line for each cell', async () => {
  expect(await printed(50)).toBe(
    `KID    ${'k'.repeat(43)}\nALG    ES256\nSTATE  active\n\nKID    ${'l'.repeat(43)}\nALG    ES384\nSTATE  announced\n`,
  );
});

it.each([undefined, 61])('a table for %s columns has a row for each item', async (columns) => {
  expect((await printed(columns)).split('\n')).toHaveLength(4);
});
