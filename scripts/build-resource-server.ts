// `npm run build:resource-server`: the entry points `holdfast/resource-server`, `…/fastify` and `…/express` as plain JavaScript with types in dist/, a package of its
// own without dependencies, for `npm pack ./dist` and `npm publish ./dist`.
import { execFileSync } from 'node:child_process';
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const { version, license, description, engines, exports } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
) as Manifest;

interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly description: string;
  readonly engines: object;
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
}

rmSync(dist, { recursive: true, force: true });
execFileSync(
  process.execPath,
  [
    join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    join(root, 'tsconfig.resource-server.json'),
  ],
  {
    stdio: 'inherit',
  },
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
  for (const entry of [types, code]) reach(join(root, entry), reached);
// Files of the server that were only looked at for their types.
for (const file of globSync('**/*.{js,ts}', { cwd: dist }))
  if (!reached.has(join(dist, file))) rmSync(join(dist, file));

const inDist = (path: string) => `./${relative(dist, join(root, path))}`;
const manifest = {
  name: 'holdfast',
  version,
  description: `${description.replace(/\.$/, '')}: what a resource server needs.`,
  license,
  type: 'module',
  // The first Node.js with `hash` of node:crypto.
  engines,
  exports: Object.fromEntries(
    Object.entries(exports).map(([name, paths]) => [
      name,
      { types: inDist(paths.types), default: inDist(paths.default) },
    ]),
  ),
  sideEffects: false,
};
writeFileSync(join(dist, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
cpSync(join(root, 'docs/resource-server.md'), join(dist, 'README.md'));
cpSync(join(root, 'LICENSE'), join(dist, 'LICENSE'));
