import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { runCommand } from './program.ts';

/**
 * Runs the command `holdfast` in this process and sets its exit code.
 * @param packageFile the package.json with the version
 */
export async function command(args: readonly string[], packageFile: URL): Promise<void> {
  const { env, stdin, stdout, stderr } = process;
  // Whoever reads the output may have enough of it: holdfast decode | head -1. `serve` goes on.
  stdout.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? 0 : 1),
  );
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
