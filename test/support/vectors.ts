import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import { vectorsFolder } from './left-out.ts';

/** The public vectors lie beside the project, not in it; where they are absent the suite is skipped. */
export const describeWithVectors = describe.skipIf(vectorsFolder === undefined);

/** One file of vectors. */
export function vectors<T>(path: string): T {
  return JSON.parse(readFileSync(join(vectorsFolder ?? '', path), 'utf8')) as T;
}
