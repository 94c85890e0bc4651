import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { builtOnce } from './built-once.ts';

const root = join(import.meta.dirname, '../..');
const run = async (command: string, args: readonly string[]) => {
  // The compiler runs for a moment, and need not collect its garbage.
  const env = { ...process.env, GOGC: 'off' };
  return (await promisify(execFile)(command, args, { cwd: root, env, maxBuffer: 2 ** 26 })).stdout;
};

/** What `npm publish` would send of a folder. */
export interface Packed {
  /** The path of the tarball. */
  readonly tarball: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}

/** Packs these folders once a run; answers them in the order of their names. */
async function pack(
  name: string,
  args: readonly string[],
  sources: readonly string[],
): Promise<readonly Packed[]> {
  const folder = await builtOnce(name, async (to) => {
    const options = ['pack', '--json', ...args, '--pack-destination', to];
    writeFileSync(join(to, 'packed.json'), await run('npm', [...options, ...sources]));
  });
  const json = JSON.parse(readFileSync(join(folder, 'packed.json'), 'utf8')) as object;
  const all = Object.values(json) as (Packed & { readonly filename: string })[];
  return all
    .toSorted((a, b) => (a.filename < b.filename ? -1 : 1))
    .map(({ filename, size, files }) => ({ tarball: join(folder, filename), size, files }));
}

/** The server, without the build that `prepare` adds. */
export async function packedServer(): Promise<Packed> {
  const [packed] = await pack('packed-server', ['--ignore-scripts'], [root]);
  return packed as Packed;
}

/** The libraries, built first as `npm publish` does, and what the client depends on. */
export async function packedLibraries(): Promise<{
  readonly client: Packed;
  readonly resourceServer: Packed;
  readonly oauth4webapi: Packed;
}> {
  const sources = ['packages/client', 'packages/resource-server', 'node_modules/oauth4webapi'];
  const paths = sources.map((source) => join(root, source));
  const [client, resourceServer, oauth4webapi] = (await pack('packed-libraries', [], paths)) as [
    Packed,
    Packed,
    Packed,
  ];
  return { client, resourceServer, oauth4webapi };
}

/** The folders of the packages that the server needs where it runs. */
export async function neededPackages(): Promise<readonly string[]> {
  const folder = await builtOnce('needed-packages', async (to) => {
    const listed = await run('npm', ['ls', '--omit=dev', '--all', '--parseable']);
    const paths = listed.split('\n').filter((path) => /node_modules\/(?!@holdfast)/.test(path));
    writeFileSync(join(to, 'paths.json'), JSON.stringify(paths));
  });
  return JSON.parse(readFileSync(join(folder, 'paths.json'), 'utf8')) as readonly string[];
}

/** A tarball for each, so that no registry is needed; not compressed, which npm does not mind. */
export async function tarballsOf(paths: readonly string[], folder: string) {
  const made = paths.map(async (path, index) => {
    const tarball = join(folder, `${index}.tar`);
    await run('tar', ['-cf', tarball, '-C', dirname(path), basename(path)]);
    return tarball;
  });
  return Promise.all(made);
}

/**
 * Installs tarballs in a folder. With a cache of its own npm cannot take anything from elsewhere,
 * and does not search what it has kept for years.
 */
export async function installTarballs(
  folder: string,
  tarballs: readonly string[],
  more: readonly string[] = [],
): Promise<void> {
  const quiet = ['--silent', '--offline', '--no-audit', '--no-fund'];
  const cache = await builtOnce('npm-cache', async () => undefined);
  const args = ['install', ...quiet, '--cache', cache, ...more, ...tarballs];
  await promisify(execFile)('npm', args, { cwd: folder });
}
