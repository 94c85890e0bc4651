import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const modules = join(import.meta.dirname, '../../node_modules');

/** What the compiler says in this folder, as strict as it can be; nothing is written. */
export async function compiled(cwd: string, more: readonly string[]): Promise<string> {
  const tsc = join(modules, 'typescript/bin/tsc');
  const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022'];
  // For a few files, threads and collected garbage cost more than they save.
  const args = [...options, '--singleThreaded', '--typeRoots', join(modules, '@types'), ...more];
  const env = { ...process.env, GOGC: 'off' };
  return promisify(execFile)(process.execPath, [tsc, ...args], { cwd, env }).then(
    ({ stdout }) => stdout,
    ({ stdout }: { stdout: string }) => stdout,
  );
}
