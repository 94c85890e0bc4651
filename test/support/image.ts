import { cpSync, globSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { neededPackages } from './packed.ts';

const root = join(import.meta.dirname, '../..');
const lines = readFileSync(join(root, 'Dockerfile'), 'utf8').replaceAll('\\\n', '').split('\n');

/** What follows this instruction in the Dockerfile, one entry for each time that it is there. */
export function instructions(name: string): readonly string[] {
  return lines.filter((line) => line.startsWith(`${name} `)).map((l) => l.slice(name.length + 1));
}

/** The variables that the image sets. */
export function imageVariables(): Readonly<Record<string, string>> {
  const pairs = instructions('ENV').flatMap((line) => line.split(' '));
  return Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
}

/**
 * Fills `app` with the files that the Dockerfile copies into the image's /app. What its build stage
 * makes is taken from here: dist/, and the packages that `npm prune --omit=dev` leaves.
 */
export async function copyAsTheImage(app: string): Promise<void> {
  const copies = instructions('COPY').filter((line) => line.startsWith('--from=build '));
  for (const copy of copies) {
    const paths = copy.split(' ').slice(1);
    const target = paths.at(-1) ?? '';
    for (const path of paths.slice(0, -1)) {
      const name = relative('/app', path);
      const to = join(app, target === './' ? name : target);
      if (name === 'node_modules') await copyPackages(app);
      else cpSync(join(root, name), to, { recursive: true });
    }
  }
  const removed = /rm -rf (.*)$/.exec(instructions('RUN')[0] ?? '')?.[1]?.split(' ') ?? [];
  for (const path of globSync(removed, { cwd: app }))
    rmSync(join(app, path), { recursive: true, force: true });
}

async function copyPackages(app: string): Promise<void> {
  for (const path of await neededPackages()) {
    const to = join(app, relative(root, path));
    mkdirSync(dirname(to), { recursive: true });
    cpSync(path, to, { recursive: true });
  }
}

/**
 * The command that runs another one as a container of the image does: in a file system that can
 * only be read except for /data, with nothing of /app but `layout`/app, as user 1000 without any
 * capability. /usr and this Node.js stand in for the base image. `layout` is a folder with app and
 * data in it; whoever runs this is root.
 */
export function asInTheImage(layout: string, command: readonly string[]): [string, ...string[]] {
  for (const name of ['dev', 'opt', 'proc', 'usr', 'tmp'])
    mkdirSync(join(layout, name), { recursive: true });
  for (const name of ['bin', 'lib', 'lib64']) {
    rmSync(join(layout, name), { force: true });
    symlinkSync(`usr/${name}`, join(layout, name));
  }
  const script = `
    mount --make-rprivate /
    mount --bind "$1" "$1"
    for name in /dev /proc /usr; do mount --bind $name "$1$name"; done
    mount --bind "$(dirname "$2")" "$1/opt"
    mount --bind "$1/data" "$1/data"
    mount -o remount,bind,ro "$1"
    shift 2
    exec chroot "$0" setpriv --reuid 1000 --regid 1000 --clear-groups --no-new-privs \\
      --bounding-set=-all --inh-caps=-all env --chdir=/app PATH=/opt:/usr/bin "$@"`;
  return ['unshare', '-m', 'sh', '-euc', script, layout, layout, process.execPath, ...command];
}
