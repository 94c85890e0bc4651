import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Where tests keep files: in memory where there is such a folder. No test pulls the plug of the
 * machine, so none needs a disk that every commit waits for.
 */
const root = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A new, empty folder; whoever makes it removes it. */
export function scratchFolder(): string {
  return mkdtempSync(join(root, 'holdfast-'));
}
