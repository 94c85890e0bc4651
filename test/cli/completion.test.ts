import { execFile, spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommandHere } from '../support/command.ts';
import { needs } from '../support/left-out.ts';
import { scratchFolder } from '../support/scratch.ts';

const folder = scratchFolder();
beforeAll(async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await runCommandHere(folder, ['completion', shell]);
    if (code !== 0) throw new Error(`no script for ${shell}`);
    writeFileSync(join(folder, shell), stdout);
  }
  writeFileSync(join(folder, 'key.json'), '{}');
});
afterAll(() => rmSync(folder, { recursive: true }));

const cases = [
  { typed: 'holdfast to', completed: ['token'] },
  { typed: 'holdfast profile s', completed: ['set', 'show'] },
  { typed: 'holdfast --profile other profile r', completed: ['remove'] },
  { typed: 'holdfast token --js', completed: ['--json'] },
  { typed: 'holdfast doctor proof --no', completed: ['--nonce'] },
  { typed: 'holdfast profile set --alg ES', completed: ['ES256', 'ES384', 'ES512'] },
  { typed: 'holdfast completion f', completed: ['fish'] },
  { typed: 'holdfast token --key-file ke', completed: ['key.json'] },
];

/** Presses the tab key in a shell with a terminal of its own until the words are there. */
async function pressTab(shell: 'bash' | 'zsh', typed: string, words: readonly string[]) {
  const start = shell === 'bash' ? 'bash --norc --noprofile -i' : 'zsh -f -i';
  const more = shell === 'bash' ? ':' : 'autoload -Uz compinit; compinit -u -D';
  const script = `
    zmodload zsh/zpty
    zpty -e shell ${start}
    zpty -w shell "cd '${folder}'; ${more}; source ./${shell}; echo re''ady"
    zpty -r shell seen '*ready*'
    zpty -w -n shell ${JSON.stringify(typed)}$'\\t\\t'
    zpty -r shell seen '*${words.join('*')}*'
    zpty -d shell`;
  await promisify(execFile)('zsh', ['-fc', script], { timeout: 15_000 });
}

describe('completion in bash', () => {
  it.each(cases)('$typed', async ({ typed, completed }) => {
    const script = `
      cd '${folder}'; source ./bash
      COMP_WORDS=(${typed}) COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
      $(complete -p holdfast | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
      # What readline does with "-o default" where there is no answer.
      [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-uc', script], { encoding: 'utf8' });
    expect({ stderr, completed: stdout.trim().split('\n') }).toEqual({ stderr: '', completed });
  });
});

describe.skipIf(!needs.fish.isHere())('completion in fish, if it is here', () => {
  it.each(cases)('$typed', ({ typed, completed }) => {
    const script = `cd '${folder}'; source ./fish; complete -C '${typed}'`;
    const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', script], {
      encoding: 'utf8',
      env: { ...process.env, HOME: folder },
    });
    const words = stdout
      .trim()
      .split('\n')
      .map((line) => line.split('\t')[0] ?? '');
    expect({ stderr, words: words.toSorted((a, b) => (a < b ? -1 : 1)) }).toEqual({
      stderr: '',
      words: completed,
    });
  });
});

const tab = needs.zsh.isHere() ? (['bash', 'zsh'] as const) : [];
describe.each(tab)('the tab key in %s, if zsh is here', (shell) => {
  it.each(cases)('$typed', async ({ typed, completed }) => {
    await expect(pressTab(shell, typed, completed)).resolves.toBeUndefined();
  });
});
