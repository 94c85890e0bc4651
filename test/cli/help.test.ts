import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { holdfastCommand } from '../../src/cli/program.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { runCommandHere } from '../support/command.ts';

const ran = async (...args: readonly string[]) => runCommandHere('/nowhere', args);
const program = holdfastCommand({} as Terminal, '0.0.0', () => undefined);
const commandsOf = (command: Command, above: readonly string[] = []): [string, Command][] => {
  const path = command.parent === null ? above : [...above, command.name()];
  return [
    [path.join(' '), command],
    ...command.commands.flatMap((below) => commandsOf(below, path)),
  ];
};
const all = commandsOf(program);

it('the package names the Node.js that its command needs', () => {
  const read = (file: string) => readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
  const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
  const [, needed] = /needs Node\.js ([\d.]+) or newer/.exec(read('bin/holdfast.js')) ?? [];
  expect(engines.node).toBe(`>=${needed}`);
});

describe('holdfast --help', () => {
  it.each(all)('%s: every option and argument has a text', (_name, command) => {
    const silent = [...command.options, ...command.registeredArguments].filter(
      ({ description }) => description === '',
    );
    expect(silent.map((each) => ('flags' in each ? each.flags : each.name()))).toEqual([]);
  });

  it.each(all)('%s: no line is longer than 80 characters', async (name) => {
    const { code, stdout } = await ran(...name.split(' ').filter((word) => word !== ''), '--help');
    expect(code).toBe(0);
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  it('names every variable of its page', async () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/reference/command.md'), 'utf8');
    const names = new Set(
      page.match(/HOLDFAST_[A-Z_]+(?<!_FILE)(?=`)|HOLDFAST_\w*(KEY|KEN)_FILE/g),
    );
    const { stdout } = await ran('--help');
    expect(names.size).toBeGreaterThan(8);
    for (const name of names)
      expect(stdout).toContain(name.replace(/(ADMIN|ACCESS)_TOKEN_FILE/, '$1_TOKEN[_FILE]'));
  });

  it.each(['diff', 'export'])('%s asks only for the scope that it needs', async (name) => {
    const { stdout } = await ran(name, '--help');
    expect(stdout).toContain('configuration:read');
    expect(stdout).not.toContain('configuration:write');
    expect(stdout.includes('In the file a secret')).toBe(name === 'diff');
    expect(stdout).not.toMatch(/--prune +delete/);
  });

  it('an unknown command is a usage error', async () => {
    const { code, stdout, stderr } = await ran('nosuch', '--help');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain("error: unknown command 'nosuch'");
  });
});
