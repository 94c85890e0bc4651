import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
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

/** The server of the previous release, built in a folder of its own. */
export interface PreviousRelease {
  readonly program: readonly [string, string];
  remove(): void;
}

/** Builds it as its own scripts do, on the libraries of this checkout: nothing is fetched. */
export function buildPreviousRelease(): PreviousRelease {
  const folder = scratchFolder();
  const archive = execFileSync('git', ['archive', commit], { cwd: root, maxBuffer: 2 ** 28 });
  execFileSync('tar', ['-x', '-C', folder], { input: archive });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const script of ['generate-prisma-clients.ts', 'build.ts'])
    execFileSync(process.execPath, [join(folder, 'scripts', script)], {
      cwd: folder,
      stdio: 'ignore',
    });
  return {
    program: [process.execPath, join(folder, 'dist/main.js')],
    remove: () => rmSync(folder, { recursive: true }),
  };
}
