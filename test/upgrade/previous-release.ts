import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { scratchFolder } from '../support/scratch.ts';

/**
 * The release that this one replaces: the last commit whose only migration is
 * `20261128172941_init`. Whoever makes a release writes its commit here afterwards.
 */
const commit = '061c82c416101ff7b2eb001ceb4fa36b673acbd0';

const root = join(import.meta.dirname, '../..');

/** Whether its sources are in this checkout, whose history may be cut off. */
export const previousReleaseIsHere: boolean =
  spawnSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: root }).status === 0;

/** What the server of a release runs from. */
const runs = ['dist', 'package.json', 'prisma/schema.prisma', 'prisma/migrations'];
/** What it is built with: the libraries that are installed. */
const installed = join(root, 'node_modules/.package-lock.json');

/**
 * The command of the previous release's server. A commit does not change: what was built from it
 * serves later runs too, until other libraries are installed.
 */
export async function previousRelease(): Promise<readonly [string, string]> {
  const key = createHash('sha256').update(commit).update(readFileSync(installed));
  const folder = join(root, 'node_modules/.cache/previous-release', key.digest('hex').slice(0, 16));
  if (!existsSync(folder)) {
    const built = scratchFolder();
    mkdirSync(dirname(folder), { recursive: true });
    const whole = mkdtempSync(`${folder}-`);
    try {
      await build(built);
      for (const path of runs)
        cpSync(join(built, path), join(whole, path), {
          recursive: true,
          filter: (from) => !from.endsWith('.map'),
        });
      renameSync(whole, folder);
      for (const other of readdirSync(dirname(folder)))
        if (!other.startsWith(basename(folder)))
          rmSync(join(dirname(folder), other), { recursive: true, force: true });
    } catch (error) {
      // Another run may have been first.
      if (!existsSync(folder)) throw error;
    } finally {
      for (const rest of [built, whole]) rmSync(rest, { recursive: true, force: true });
    }
  }
  return [process.execPath, join(folder, 'dist/main.js')];
}

/** Builds it as its own scripts do, on the libraries of this checkout: nothing is fetched. */
async function build(folder: string): Promise<void> {
  const run = promisify(execFile);
  const archive = join(folder, 'sources.tar');
  await run('git', ['archive', '-o', archive, commit], { cwd: root });
  await run('tar', ['-xf', archive, '-C', folder]);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const script of ['generate-prisma-clients.ts', 'build.ts'])
    await run(process.execPath, [join(folder, 'scripts', script)], { cwd: folder });
}
