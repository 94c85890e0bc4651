import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

const project = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bundle-'));
const at = (path: string) => join(folder, path);
const library = (word: string) => `export const word = '${word}';\n`;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a module of the small project and answers what it printed. */
const node = (...args: readonly string[]) =>
  execFileSync(process.execPath, args, { cwd: folder, env: { PATH: process.env['PATH'] } })
    .toString()
    .trim();
const start = () => node('src/main.ts');

// A project as small as can be, with this project's own `src/main.ts` and `src/bundle`: its server prints what ran, and from where.
beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  for (const path of ['src/bundle', 'node_modules/library'])
    mkdirSync(at(path), { recursive: true });
  for (const path of ['src/main.ts', 'src/bundle', 'src/cli'])
    cpSync(join(project, path), at(path), { recursive: true });
  symlinkSync(join(project, 'node_modules/rolldown'), at('node_modules/rolldown'));
  writeFileSync(at('package.json'), '{ "type": "module" }');
  writeFileSync(at('package-lock.json'), '{}');
  writeFileSync(
    at('node_modules/library/package.json'),
    '{ "name": "library", "type": "module", "exports": "./index.js" }',
  );
  writeFileSync(at('node_modules/library/index.js'), library('one'));
  writeFileSync(
    at('src/lazy.ts'),
    `import { Worker } from 'node:worker_threads';
new Worker(new URL('thread.ts', import.meta.url)).on('exit', (code) => (process.exitCode = code));
export const folder: string = import.meta.dirname;\n`,
  );
  writeFileSync(at('src/thread.ts'), '');
  writeFileSync(
    at('src/serve.ts'),
    `import { word } from 'library';
const { folder } = await import('./lazy.ts');
console.log(word, import.meta.filename.includes('/.cache/') ? 'bundle' : 'sources', folder.endsWith('/src'));
`,
  );
  node('src/bundle/build.ts');
});

describe('the bundle', () => {
  it('runs in place of the sources, and a module finds what is beside it: its folder, a thread', () => {
    expect(start()).toBe('one bundle true');
  });
  it('is not used after an edit of the sources', () => {
    appendFileSync(at('src/lazy.ts'), '// edited\n');
    expect(start()).toBe('one sources true');
  });
  it('is not used after an edit of a library that leaves its size as it was', () => {
    writeFileSync(at('node_modules/library/index.js'), library('two'));
    expect(start()).toBe('two sources true');
  });
  it.each([
    'package-lock.json',
    'src/thread.ts',
    'node_modules/library/package.json',
    'src/bundle/build.ts',
  ])('is not used after a change of %s', (path) => {
    appendFileSync(at(path), '\n');
    expect(start()).toBe('one sources true');
  });
  it('is not used when one of its files is gone', () => {
    rmSync(at('package-lock.json'));
    expect(start()).toBe('one sources true');
  });
  it('is used when files were copied: other times, same content', () => {
    const before = statSync(at('src/serve.ts')).mtimeMs;
    utimesSync(at('src/serve.ts'), 1, 1);
    expect(statSync(at('src/serve.ts')).mtimeMs).not.toBe(before);
    expect(start()).toBe('one bundle true');
  });
  it('is used again once it was made anew', () => {
    writeFileSync(at('node_modules/library/index.js'), library('two'));
    node('src/bundle/build.ts');
    expect(start()).toBe('two bundle true');
  });
  it('is not used under a module that is imported before: that may replace others', () => {
    writeFileSync(at('preload.js'), '');
    expect(node('--import', './preload.js', 'src/main.ts')).toBe('one sources true');
  });
});
