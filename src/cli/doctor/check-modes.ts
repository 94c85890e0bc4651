import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { about, type Finding } from './finding.ts';

const fileModes = about('file modes', 'no secret that others can read', 'operations/systemd.md');
const folderModes = about('folder modes', 'none that others can write to', 'operations/systemd.md');

type Paths = readonly (string | undefined)[];

/** Reports files that other users can read, write or run. */
export function checkModes(files: {
  readonly data: Paths;
  /** A log collector's group may read it (docs/operations/audit.md). */
  readonly sink: Paths;
  readonly secrets: Paths;
}): readonly Finding[] {
  const kinds = [
    { paths: files.data, bits: 0o077, mend: (file: string) => `chmod 600 ${file}` },
    { paths: files.sink, bits: 0o007, mend: (file: string) => `chmod o-rwx ${file}` },
    {
      paths: files.secrets,
      bits: 0o077,
      mend: (file: string) =>
        `chmod 600 ${file}, and replace the secret in it: others may have read it.`,
    },
  ];
  const seen = new Set<string>();
  const faults = kinds.flatMap(({ paths, bits, mend }) =>
    paths.flatMap((file) => {
      if (file === undefined || seen.has(file) || !existsSync(file)) return [];
      seen.add(file);
      return isOpen(file, bits)
        ? [fileModes.fault(`${file} has the mode ${modeOf(file)}`, mend(file))]
        : [];
    }),
  );
  if (faults.length > 0) return faults;
  return [fileModes.ok(summary(seen.size, 'file', 'nobody else can read'))];
}

/** Reports folders writable by other users, who could replace the files there. */
export function checkFolders(files: readonly string[]): readonly Finding[] {
  const folders = new Set(files.map((file) => resolve(dirname(file))).filter(existsSync));
  const open = [...folders].filter((folder) => isOpen(folder, 0o022));
  if (open.length === 0)
    return [folderModes.ok(summary(folders.size, 'folder', 'nobody else can write to'))];
  return open.map((folder) =>
    folderModes.fault(
      `${folder} has the mode ${modeOf(folder)}`,
      `chmod go-w ${folder}, and check the files there: others may have put them there.`,
    ),
  );
}

function summary(count: number, what: string, nobody: string): string {
  if (count === 0) return `there is no such ${what} yet`;
  return count === 1 ? `${nobody} the ${what}` : `${nobody} the ${count} ${what}s`;
}

/**
 * Whether others have any of these permissions. A server that is not root may read files of root
 * by its own group: Kubernetes and systemd hand over secrets like that.
 */
function isOpen(path: string, bits: number): boolean {
  const { mode, uid } = statSync(path);
  const isHandedOver = uid === 0 && (process.geteuid?.() ?? 0) !== 0;
  return (mode & bits & (isHandedOver ? 0o007 : 0o777)) !== 0;
}

function modeOf(path: string): string {
  return (statSync(path).mode & 0o7777).toString(8);
}
