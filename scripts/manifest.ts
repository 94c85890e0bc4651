import { createHash } from 'node:crypto';
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The folder of the project, which every path here is relative to: a checkout may be moved or copied. */
export const projectFolder: string = join(import.meta.dirname, '..');
/** Where bundles are written; `npm ci` empties it. */
export const bundlesFolder: string = join(projectFolder, 'node_modules/.cache/holdfast-bundle');
const manifestPath = join(bundlesFolder, 'manifest.json');

/** A file that a bundle was made from: path relative to the project, octets, milliseconds since the epoch, SHA-256 in base64url. */
export type Input = readonly [path: string, size: number, mtime: number, digest: string];

/** What a bundle is and what it was made from. */
export interface Manifest {
  /** Its entry, relative to the project. */
  readonly entry: string;
  readonly inputs: readonly Input[];
}

/** Describes one file as it is now. `content` when it was read already. Throws when there is none. */
export function inputOf(path: string, content?: string): Input {
  // The time first: a change after it is noticed.
  const { mtimeMs } = statSync(join(projectFolder, path));
  const octets =
    content === undefined ? readFileSync(join(projectFolder, path)) : Buffer.from(content);
  return [path, octets.length, mtimeMs, digestOf(octets)];
}

/** Makes the bundle the one that counts. */
export function writeManifest(manifest: Manifest): void {
  writeFileSync(`${manifestPath}.new`, JSON.stringify(manifest));
  renameSync(`${manifestPath}.new`, manifestPath);
}

/** The URL of the bundle's entry, if there is a bundle and every file that it was made from is as it was then; a start runs the sources otherwise. */
export function freshBundle(): string | undefined {
  try {
    const { entry, inputs } = JSON.parse(readFileSync(manifestPath, 'utf8')) as Manifest;
    return inputs.every(unchanged) ? pathToFileURL(join(projectFolder, entry)).href : undefined;
  } catch {
    return undefined;
  }
}

/** Size and time as they were, or a time that a copy or `git checkout` has set anew and the same content. */
function unchanged([path, size, mtime, digest]: Input): boolean {
  // Some thousand files at every start: no `join`.
  const file = `${projectFolder}/${path}`;
  const found = statSync(file);
  return (
    found.size === size && (found.mtimeMs === mtime || digestOf(readFileSync(file)) === digest)
  );
}

function digestOf(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('base64url');
}
