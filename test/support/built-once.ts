import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Builds into a folder of the run unless somebody has, and answers that folder. Whoever comes
 * meanwhile waits: to build a second time would slow down both.
 */
export async function builtOnce(
  name: string,
  build: (folder: string) => Promise<unknown>,
): Promise<string> {
  const { TEST_BUILT: ofRun } = process.env;
  if (ofRun === undefined) throw new Error('TEST_BUILT is not set: is this a run of vitest?');
  const folder = join(ofRun, name);
  const [done, failed] = [`${folder}.done`, `${folder}.failed`];
  if (!isFirst(folder)) {
    while (!existsSync(done)) {
      if (existsSync(failed)) throw new Error(readFileSync(failed, 'utf8'));
      if (!isAlive(`${folder}.pid`)) throw new Error(`who built ${name} has ended`);
      await sleep(50);
    }
    return folder;
  }
  writeFileSync(`${folder}.pid`, String(process.pid));
  try {
    await build(folder);
  } catch (error) {
    writeFileSync(failed, String(error));
    throw error;
  }
  writeFileSync(done, '');
  return folder;
}

function isFirst(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Whether the process whose id is in this file runs; it may not be written yet. */
function isAlive(file: string): boolean {
  try {
    if (existsSync(file)) process.kill(Number(readFileSync(file, 'utf8')), 0);
    return true;
  } catch {
    return false;
  }
}
