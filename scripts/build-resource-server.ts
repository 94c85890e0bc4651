// `npm run build` of packages/resource-server: plain JavaScript with types in its dist/. The
// package shares small pure files with the server; they are emitted along with it, so it has no
// dependencies.
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'packages/resource-server');
const dist = join(folder, 'dist');
const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
};

rmSync(dist, { recursive: true, force: true });
execFileSync(
  process.execPath,
  [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(folder, 'tsconfig.json')],
  { stdio: 'inherit' },
);

/** A file and all that it imports, with each import of a declaration named as it was emitted. */
function reach(file: string, reached: Set<string>): Set<string> {
  if (reached.has(file)) return reached;
  reached.add(file);
  const text = readFileSync(file, 'utf8').replace(/(from '\.[^']*)\.ts'/g, "$1.js'");
  writeFileSync(file, text);
  const types = file.endsWith('.d.ts');
  for (const [, path = ''] of text.matchAll(/from '(\.[^']*)'/g))
    reach(resolve(dirname(file), types ? path.replace(/\.js$/, '.d.ts') : path), reached);
  return reached;
}

const reached = new Set<string>();
for (const { types, default: code } of Object.values(exports))
  for (const entry of [types, code]) reach(join(folder, entry), reached);
// Files of the server that were only looked at for their types.
for (const file of globSync('**/*.{js,ts}', { cwd: dist }))
  if (!reached.has(join(dist, file))) rmSync(join(dist, file));
