import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';

const folder = join(import.meta.dirname, '../../../shared/vectors');
const absent = !existsSync(folder);
if (absent) console.warn('There is no ../shared/vectors: the suites of public vectors are skipped.');

/** The public vectors lie beside the project, not in it; where they are absent the suite is skipped. */
export const describeWithVectors = describe.skipIf(absent);

/** One file of vectors. */
export function vectors<T>(path: string): T {
  return JSON.parse(readFileSync(join(folder, path), 'utf8')) as T;
}
