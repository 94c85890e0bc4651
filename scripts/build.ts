// `npm run bundle`: the server and its libraries in a few files, so that a start reads these instead of some 500 modules. Runs after every install.
// A cache and no more: src/main.ts uses it only while every file that it was made from is as it was (docs/decisions/0011-a-bundle-as-a-cache.md).
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { isAbsolute, join, relative } from 'node:path';
import type { Plugin } from 'rolldown';
import { bundlesFolder, type Input, inputOf, projectFolder, writeManifest } from './manifest.ts';

/** What the bundle depends on besides the modules in it: which libraries there are, and how it is made. */
const alwaysInputs = ['package.json', 'package-lock.json'];

const entry = join(projectFolder, 'src/serve.ts');
// Without development dependencies, or before the sources are there (a container image in the making), the sources run.
const rolldown = await import('rolldown').catch(() => undefined);
if (rolldown === undefined || !existsSync(entry)) process.exit();

const folder = join(bundlesFolder, Date.now().toString(36));
mkdirSync(folder, { recursive: true });
const inputs = new Map<string, Input>();
const bundle = await rolldown.rolldown({
  input: entry,
  cwd: projectFolder,
  platform: 'node',
  tsconfig: false,
  // It loads its native part from where it is itself.
  external: ['libsql'],
  plugins: [recordedInputs()],
  logLevel: 'silent',
});
await bundle.write({
  dir: folder,
  format: 'esm',
  sourcemap: true,
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
});
await bundle.close();
// Sources outside the bundle too: a thread may run one beside it.
const sources = readdirSync(join(projectFolder, 'src'), {
  recursive: true,
  encoding: 'utf8',
}).filter((path) => path.endsWith('.ts'));
for (const path of [...alwaysInputs, ...packageFiles(inputs.keys())])
  inputs.set(path, inputOf(path));
for (const path of sources.map((name) => join('src', name)))
  if (!inputs.has(path)) inputs.set(path, inputOf(path));
writeManifest({
  entry: relative(projectFolder, join(folder, 'serve.js')),
  inputs: [...inputs.values()],
});
// A server that runs may still load parts of the one before.
const names = readdirSync(bundlesFolder).filter((name) => name !== 'manifest.json');
for (const name of names.sort().slice(0, -2))
  rmSync(join(bundlesFolder, name), { recursive: true });

/** Reads every module itself, so that what is recorded is what is bundled; what `import.meta` says of the place of a source stays true. */
function recordedInputs(): Plugin {
  return {
    name: 'recorded-inputs',
    load(id) {
      if (!isAbsolute(id) || !existsSync(id)) return undefined;
      const path = relative(projectFolder, id);
      const content = readFileSync(id, 'utf8');
      inputs.set(path, inputOf(path, content));
      if (!path.startsWith('src/')) return content;
      const source = relative(folder, id);
      return content
        .replaceAll('import.meta.dirname', `(import.meta.dirname + '/${join(source, '..')}')`)
        .replaceAll('import.meta.url', `new URL('${source}', import.meta.url).href`);
    },
  };
}

/** The `package.json` of every package that has a module among the paths: what its modules' names resolve to. */
function packageFiles(paths: Iterable<string>): readonly string[] {
  const folders = [...paths].flatMap(
    (path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path) ?? [],
  );
  return [...new Set(folders)].map((path) => join(path, 'package.json'));
}
