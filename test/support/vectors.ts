import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';

// Beside the checkout, or beside the folder that holds several worktrees.
const folders = ['../../../shared/vectors', '../../../../shared/vectors'].map((path) =>
  join(import.meta.dirname, path),
);
const folder = folders.find((path) => existsSync(path));
const absent = folder === undefined;
if (absent)
  console.warn('There is no ../shared/vectors: the suites of public vectors are skipped.');

/** The public vectors lie beside the project, not in it; where they are absent the suite is skipped. */
export const describeWithVectors = describe.skipIf(absent);

/** One file of vectors. */
export function vectors<T>(path: string): T {
  return JSON.parse(readFileSync(join(folder ?? '', path), 'utf8')) as T;
}
