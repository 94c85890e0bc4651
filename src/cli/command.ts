import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { fileReason } from '../config/text-file.ts';
import { runCommand } from './program.ts';

/**
 * Runs the command `holdfast` in this process and sets its exit code.
 * @param packageFile the package.json with the version
 */
export async function command(args: readonly string[], packageFile: URL): Promise<void> {
  const { env, stdin, stdout, stderr } = process;
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader may stop early, as in `holdfast diff … | head -1`: the exit code stays.
    if (error.code === 'EPIPE') return;
    stderr.write(`holdfast: Standard output cannot be written: ${fileReason(error)}.\n`);
    process.exit(1);
  });
  stderr.on('error', () => undefined);
  try {
    const terminal = { env, stdin, stdout, stderr, clock: Date.now };
    process.exitCode = await runCommand(args, terminal, versionIn(packageFile));
  } catch (error) {
    stderr.write(`holdfast: a defect of the command:\n${inspect(error)}\n`);
    process.exitCode = 1;
  }
}

function versionIn(packageFile: URL): string {
  return (JSON.parse(readFileSync(packageFile, 'utf8')) as { readonly version: string }).version;
}
