import { ConfigurationFileError } from '../admin/configuration/file.ts';
import { configurationFileFaults } from '../app/configuration-file.ts';
import { auditSinkFault } from '../app/open-audit-sink.ts';
import { ConfigError, readConfig } from '../config/config.ts';
import { configurationError } from './exit-codes.ts';
import { printable, printJson, type Terminal } from './terminal.ts';

/**
 * Checks the environment, and the file of CONFIG_FILE. Answers warnings. Throws CommandError with
 * every fault.
 */
export async function configurationFaults({
  env,
}: Pick<Terminal, 'env'>): Promise<readonly string[]> {
  try {
    const { warnings, configurationFile } = readConfig(env);
    if (configurationFile === undefined) return warnings;
    const file = await configurationFileFaults(configurationFile);
    if (file.faults !== '')
      throw configurationError(`CONFIG_FILE has faults:\n${linesOf(file.faults)}`);
    return [...warnings, ...file.warnings];
  } catch (error) {
    if (error instanceof ConfigError || error instanceof ConfigurationFileError)
      throw configurationError(linesOf(error.message));
    throw error;
  }
}

/** Says whether the server could start with this environment, as far as that can be read. */
export async function validateConfig(terminal: Terminal, json = false): Promise<void> {
  const warnings = await configurationFaults(terminal);
  const fault = auditSinkFault(readConfig(terminal.env));
  if (fault !== undefined) throw configurationError(printable(fault));
  for (const warning of warnings) terminal.stderr.write(`warning: ${printable(warning)}\n`);
  if (json) printJson(terminal, { valid: true, warnings });
  else terminal.stdout.write('The configuration is valid.\n');
}

function linesOf(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
