// `npm run build`: the server and its libraries as a few plain JavaScript files in dist/, so that a
// start reads these instead of hundreds of modules. Does nothing while dist/ is newer than its
// sources. Prints nothing on stdout.
import { globSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { licenceText } from './bundled-packages.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const sources = [
  'package-lock.json',
  'scripts/build.ts',
  'scripts/bundled-packages.ts',
  'src/**/*.ts',
  'packages/client/src/**/*.ts',
  'prisma/generated/**/*.ts',
];

/** Milliseconds since the epoch of the last change; 0 for a file that does not exist. */
function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

const builtAt = changedAt(join(dist, 'main.js'));
const isCurrent = globSync(sources, { cwd: root }).every(
  (path) => changedAt(join(root, path)) < builtAt,
);
if (!isCurrent) {
  const bundle = await rolldown({
    input: {
      main: join(root, 'src/main.ts'),
      'sqlite-writer': join(root, 'src/store/connection/sqlite-writer.ts'),
    },
    cwd: root,
    platform: 'node',
    tsconfig: false,
    // It loads its native part from its own folder.
    external: ['libsql'],
    logLevel: 'warn',
  });
  rmSync(dist, { recursive: true, force: true });
  await bundle.write({
    dir: dist,
    format: 'esm',
    sourcemap: true,
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
  });
  await bundle.close();
  writeFileSync(join(dist, 'third-party-licences.txt'), licenceText(root));
}
